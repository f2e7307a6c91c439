// Owns the API explorer: Swagger UI over the served document, and a bar that signs in and hands the token to it. Must not
// keep a password; Swagger UI keeps the token in this browser until it is forgotten.
/* global SwaggerUIBundle */

/** The name of the security scheme in the document. */
const scheme = 'bearer';

const dark = matchMedia('(prefers-color-scheme: dark)');
const paint = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', paint);
paint();

const signIn = document.getElementById('sign-in');
const signedIn = document.getElementById('signed-in');
const note = document.getElementById('note');

const ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#explorer',
  deepLinking: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  validatorUrl: null,
  onComplete: showWho,
});

let expiry = 0;

/** The token that calls carry, if any. */
const token = () => ui.authSelectors.authorized().getIn([scheme, 'value']);

/** When a token expires, in ms since 1970. What cannot be read is left to the server to judge. */
function expires(token) {
  try {
    const claims = JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')));
    return claims.exp * 1000 || Infinity;
  } catch {
    return Infinity;
  }
}

function showWho() {
  clearTimeout(expiry);
  const left = token() ? expires(token()) - Date.now() : Infinity;
  if (left <= 0) {
    ui.authActions.logoutWithPersistOption([scheme]);
    note.textContent = 'Your token has expired. Please sign in again.';
  } else if (left < Infinity) {
    // A timer longer than this would fire at once.
    expiry = setTimeout(showWho, Math.min(left, 2 ** 31 - 1));
  }
  const known = !!token();
  signIn.hidden = known;
  signedIn.hidden = !known;
  document.getElementById('who').textContent = known ? 'Calls carry your token.' : '';
}

// Timers may sleep while nobody looks.
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') showWho();
});

signIn.addEventListener('submit', async (event) => {
  event.preventDefault();
  note.textContent = '';
  const fields = new FormData(signIn);
  try {
    const response = await fetch('/v1/login', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      // The token is wanted in the answer; a cookie of the web client stays out of it.
      credentials: 'omit',
      body: JSON.stringify({
        username: fields.get('username').trim().toLowerCase(),
        password: fields.get('password').normalize('NFC'),
        transport: 'bearer',
      }),
    });
    const answer = await response.json();
    if (!response.ok) {
      note.textContent = answer.detail || answer.title;
      return;
    }
    ui.authActions.authorizeWithPersistOption({
      [scheme]: {
        name: scheme,
        schema: { type: 'http', scheme: 'bearer' },
        value: answer.access_token,
      },
    });
    signIn.reset();
    showWho();
  } catch {
    note.textContent = 'The server does not answer.';
  }
});

signedIn.addEventListener('submit', (event) => {
  event.preventDefault();
  ui.authActions.logoutWithPersistOption([scheme]);
  showWho();
});
