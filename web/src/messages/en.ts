// Owns every text that people read in the client, in English. Must not know where a text is shown.
import { number, plural } from '../text/locale';
import { passwordFault, passwordLength, type PasswordLimits } from '../text/password';

const count = (n: number, one: string, other: string) =>
  `${number(n)} ${plural(n, { one, other })}`;

export const en = {
  /** The language tag of the document. */
  lang: 'en',
  /** Which way the lines of the page run. */
  dir: 'ltr' as 'ltr' | 'rtl',

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
    n < 0 ? count(-n, 'character too many', 'characters too many') : `${number(n)} left`,

  cut: 'Connection lost. You can read what is here and go on writing; messages go out once it is back.',
  stopped: 'Live messages have stopped. Load the page again to go on.',
  reload: 'Load again',
  notKept:
    'This browser does not let the page store anything. Drafts and unsent messages are lost when you close it.',

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

  language: 'Language',
  languageOfBrowser: 'As the browser',

  tooFast: (seconds: number) =>
    seconds > 0
      ? `That was a bit fast. Please wait ${count(seconds, 'second', 'seconds')} and try again.`
      : 'That was a bit fast. Please wait a moment and try again.',

  /** One text for each code of the server, and for calls without an answer. */
  problems: {
    unknown: 'That did not work.',
    no_answer: 'The server does not answer. Please try again.',
    invalid_request: 'The server did not understand this page. Please load it again.',
    invalid_body: 'Something in the form is not right.',
    invalid_parameter: 'The server did not understand this page. Please load it again.',
    bad_cursor: 'The server did not understand this page. Please load it again.',
    bad_page: 'The list has changed. Please load the page again.',
    unauthenticated: 'You have been signed out. Please sign in again.',
    wrong_credentials: 'Username and password do not match.',
    invalid_refresh_token: 'You have been signed out. Please sign in again.',
    not_a_member: 'Only members of the room may do this.',
    not_an_owner: 'Only owners of the room may do this.',
    registration_closed: 'New accounts are made by whoever runs this server.',
    wrong_password: 'This is not your current password.',
    not_found: 'There is nothing here.',
    room_not_found: 'There is no such room.',
    message_not_found: 'There is no such message.',
    user_not_found: 'Nobody has this username.',
    session_not_found: 'This session has ended already.',
    method_not_allowed: 'The server did not understand this page. Please load it again.',
    request_timeout: 'The connection is too slow. Please try again.',
    username_taken: 'Somebody else has this username. Please choose another.',
    room_name_taken: 'Another public room has this name. Please choose another.',
    last_owner: 'Make somebody else an owner first, or delete the room.',
    client_id_reused: 'This was sent before with other content. Please try again.',
    too_many_rooms: 'A person can be in at most 1,000 rooms. Leave one first.',
    body_too_large: 'This is too much text at once.',
    uri_too_long: 'This is too much text at once.',
    unsupported_media_type: 'The server did not understand this page. Please load it again.',
    text_not_allowed: 'A text has characters that are not allowed, or nothing visible.',
    password_too_common: 'This password is easy to guess. Please choose another.',
    internal: 'Something broke in the server. Please try again later.',
    overloaded: 'The server has a lot to do. Please try again in a moment.',
    outcome_unknown: 'It is not certain that this worked. Please look before you try again.',
    timed_out: 'The server took too long. Please look before you try again.',
    not_ready: 'The server is not ready. Please try again in a moment.',
    storage_full: 'The disk of the server is full. Reading still works.',
  },

  /** Rules that a text in a form can break. */
  rules: {
    empty: 'Please fill this in.',
    tooLong: (most: number) => `At most ${count(most, 'character', 'characters')}, please.`,
    tooShort: (least: number) => `At least ${count(least, 'character', 'characters')}, please.`,
    pattern: (allowed: string[]) => `Only ${allowed.join(' ')} are allowed here.`,
    likeAnId: 'It looks like an id. Please choose another.',
    forbidden: 'It has a character that is not allowed.',
    invisible: 'There is nothing visible in it.',
    tooManyLines: (most: number) => `At most ${count(most, 'line', 'lines')}, please.`,
    reserved: 'This name is reserved. Please choose another.',
  },
};
