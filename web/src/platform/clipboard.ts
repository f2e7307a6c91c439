// Owns putting text onto the clipboard, in every browser and on plain http. Must not know what is copied.

/** Copies text. False when the browser does not allow it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    // Absent on plain http from another host, and refused without focus.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

/** The old way: what is selected is copied. The copy event gives the text, so nothing on the page has to be selected. */
function copyBySelection(text: string): boolean {
  let done = false;
  const give = (event: ClipboardEvent) => {
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
    done = true;
  };
  document.addEventListener('copy', give, { once: true });
  const allowed = document.execCommand('copy');
  document.removeEventListener('copy', give);
  return allowed && done;
}
