// Owns every text that people read in the client, in English. Must not know where a text is shown.
import { Problem } from './api/problem';
import { passwordFault, passwordLength, type PasswordLimits } from './text/password';
import { sentence } from './text/sentence';

const plural = new Intl.PluralRules('en');
const number = new Intl.NumberFormat('en');
const count = (n: number, one: string, other: string) =>
  `${number.format(n)} ${plural.select(n) === 'one' ? one : other}`;

export const t = {
  tagline: 'Rooms for talking.',
  loading: 'Loading',
  close: 'Close',
  cancel: 'Cancel',
  save: 'Save',
  saved: 'Saved',
  retry: 'Retry',
  delete: 'Delete',
  tryAgain: 'Try again',
  showMore: 'Show more',
  skipToContent: 'Skip to content',
  pageTitle: (page: string, unread: number, server: string) =>
    `${unread ? `(${unread}) ` : ''}${[page, server].filter(Boolean).join(' · ')}`,

  signIn: 'Sign in',
  signUp: 'Create account',
  signOut: 'Sign out',
  welcomeBack: 'Welcome back',
  joinServer: 'Create your account',
  noAccountYet: 'New here?',
  haveAccount: 'Have an account already?',
  username: 'Username',
  usernameHint: '3 to 32 characters: a–z, 0–9, - and _. It cannot be changed later.',
  password: 'Password',
  passwordHint: (limits: PasswordLimits | undefined) =>
    `${limits ? `${limits.min_password} to ${limits.max_password} characters. ` : ''}Several words make a good one.`,
  /** The fault of a new password, or nothing. */
  passwordWeak(password: string, limits: PasswordLimits | undefined): string {
    const fault = passwordFault(password, limits);
    if (!limits || !fault) return '';
    if (fault === 'long') return `At most ${limits.max_password} characters, please.`;
    return `At least ${limits.min_password} characters, please: ${passwordLength(password)} so far.`;
  },
  /** The page cannot use cookies at its own address. A proxy may speak https there, and the server not know of it. */
  unknownAddress: (origin: string) =>
    `Nobody can sign in at ${origin}: the server does not know this address. Whoever runs it has to set server.public_url to the address in your browser, which must begin with https.`,
  sessionEnded: 'You have been signed out. Please sign in again.',
  registrationClosed: 'New accounts are made by whoever runs this server.',
  unreachable: 'The server does not answer. Trying again…',

  yourRooms: 'Your rooms',
  browseRooms: 'Browse rooms',
  newRoom: 'New room',
  openMenu: 'Open menu',
  menu: 'Menu',
  noRoomsYet: 'You are in no room yet.',
  unread: 'unread',
  draft: 'draft',
  settings: 'Your profile',
  switchRoom: 'Go to a room',
  switchHint: 'Type a room’s name',

  rooms: 'Rooms',
  directoryLead: 'Public rooms on this server. Anyone who is signed in may join.',
  searchRooms: 'Search rooms',
  noRooms: 'No rooms here yet',
  noRoomsLead: 'Somebody has to be first. Open a room and say something.',
  noResults: (q: string) => `Nothing found for “${q}”`,
  noResultsLead: 'Try fewer or other letters, or open a room of that name.',
  join: 'Join',
  joinRoom: (room: string) => `Join ${room}`,
  open: 'Open',
  openRoom: (room: string) => `Open ${room}`,
  members: (n: number) => count(n, 'member', 'members'),

  createRoom: 'Create room',
  roomName: 'Name',
  roomNameHint: 'a–z, 0–9 and -, up to 64 characters.',
  roomTitle: 'Title',
  roomTopic: 'Topic',
  optional: 'optional',
  whoMayJoin: 'Who may join',
  public: 'Public',
  publicHint: 'Listed; anyone signed in may join.',
  private: 'Private',
  privateHint: 'Not listed; you add people.',
  privateRoom: 'Private room',
  madePublic:
    'Anyone signed in can then find this room, join it, and read all that was written in it.',

  joinToRead: 'Join this room to read and write in it.',
  roomNotFound: 'No such room',
  roomNotFoundLead: 'It may have been deleted, or it is private and you are not in it.',
  roomLost: (room: string) => `You are no longer in ${room || 'this room'}`,
  roomLostLead: 'It was deleted, or you left it or were taken out of it.',
  pageNotFound: 'Nothing here',
  pageNotFoundLead: 'This address leads nowhere.',
  backToRooms: 'Back to all rooms',
  loadFailed: 'This could not be loaded',

  membersPanel: 'Members',
  showMembers: 'Show members',
  hideMembers: 'Hide members',
  you: 'you',
  owner: 'owner',
  role: (role: string) => role,
  memberMenu: (name: string) => `What to do with ${name}`,
  makeOwner: 'Make owner',
  makeMember: 'Make member',
  roleIsNow: (name: string, role: string) =>
    role === 'owner' ? `${name} is an owner now.` : `${name} is no longer an owner.`,
  addPerson: 'Add a person',
  add: 'Add',
  added: (name: string) => `${name} is in the room now.`,
  roomMenu: 'Room options',
  editRoom: 'Edit room',
  deleteRoom: 'Delete room',
  deleteRoomAsk: (room: string) => `Delete ${room} for everybody?`,
  deleteRoomLead: 'All its messages go with it. This cannot be undone.',
  leaveRoom: 'Leave room',
  leaveRoomAsk: (room: string) => `Leave ${room}?`,
  lastOwner: 'Make somebody else an owner first, or delete the room.',
  leavePublicLead: 'You can join again at any time.',
  leavePrivateLead: 'To come back, an owner has to add you again.',

  messagesIn: (room: string) => `Messages in ${room}`,
  startOfRoom: (room: string) => `This is the start of ${room}.`,
  emptyRoom: 'It is quiet in here',
  emptyRoomLead: 'Say hello. Whatever is written stays for those who come later.',
  loadingOlder: 'Loading older messages',
  newMessages: 'New',
  jumpToNew: (n: number) => `${count(n, 'new message', 'new messages')}`,
  jumpToLatest: 'Jump to latest',
  sending: 'Sending…',
  notSentYet: 'Not sent yet. It goes out when the connection is back.',
  notSent: (why: string) => (why ? `Not sent: ${why}` : 'Not sent.'),
  retryMessage: 'Retry sending this message',
  deleteMessage: 'Delete this unsent message',
  edited: 'edited',
  messageDeleted: 'This message was deleted.',
  code: (language: string) => (language ? `Code in ${language}` : 'Code'),

  writeTo: (room: string) => `Message to ${room}`,
  placeholder: (room: string) => `Write to ${room}`,
  send: 'Send',
  composerHint: 'Enter sends, Shift+Enter starts a new line',
  charactersLeft: (n: number) =>
    n < 0 ? count(-n, 'character too many', 'characters too many') : `${number.format(n)} left`,

  cut: 'Connection lost. You can read what is here and go on writing; messages go out once it is back.',
  stopped: 'Live messages have stopped. Load the page again to go on.',
  reload: 'Load again',

  profile: 'Profile',
  displayName: 'Display name',
  displayNameHint: 'What others see. Your username stays as it is.',
  appearance: 'Appearance',
  theme: { system: 'As the system', light: 'Light', dark: 'Dark' },
  changePassword: 'Change password',
  currentPassword: 'Current password',
  newPassword: 'New password',
  passwordChanged: 'Your password is changed. All other sessions have ended.',
  sessions: 'Where you are signed in',
  sessionsLead: 'End what you do not know or do not need.',
  thisSession: 'this one',
  sessionSince: (since: string, used: string) => `since ${since}, last used ${used}`,
  unknownDevice: 'Unknown program',
  endSession: 'End session',
  endSessionOf: (device: string, since: string) => `End session of ${device} since ${since}`,

  /** The text for a failed call when no field is the reason. */
  problem(problem: Problem): string {
    if (problem.status === 0) return 'The server does not answer. Please try again.';
    if (problem.status === 429) return 'That was a bit fast. Please wait a moment and try again.';
    if (problem.code === 'last_owner') return t.lastOwner;
    if (['cross_origin', 'insecure_transport'].includes(problem.code)) {
      return t.unknownAddress(location.origin);
    }
    return sentence(problem.detail || problem.title || 'That did not work');
  },
};
