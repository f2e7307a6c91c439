// Owns which parts of the client are files of their own, so that each visit loads only what it shows. Must not know when.

export const loadSignIn = () => import('./SignIn.svelte');
export const loadRoomPage = () => import('./RoomPage.svelte');
export const loadDirectory = () => import('./DirectoryPage.svelte');
export const loadSettings = () => import('./Settings.svelte');
export const loadSwitcher = () => import('../components/Switcher.svelte');
export const loadCreateRoom = () => import('../components/CreateRoom.svelte');
export const loadKeys = () => import('../components/KeysDialog.svelte');
export const loadConfirm = () => import('../components/Confirm.svelte');
export const loadMembers = () => import('../components/Members.svelte');
export const loadRoomDialogs = () => import('../components/RoomDialogs.svelte');

/** How long (ms) after the start the small parts are loaded that have to answer at once. */
const later = 3_000;

/** Loads the dialogs while nobody waits for them. The returned function stops it. */
export function loadDialogs(): () => void {
  const timer = setTimeout(() => {
    // Whoever opens one of them is told if it cannot be loaded.
    for (const load of [loadSwitcher, loadCreateRoom, loadRoomDialogs, loadConfirm])
      load().catch(() => {});
  }, later);
  return () => clearTimeout(timer);
}
