// Owns the API explorer: Swagger UI over the served document, a bar that signs in and hands the token to it, and a panel
// that listens to streams. Must not keep a password; Swagger UI keeps the token in this browser until it is forgotten.
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
const listening = document.getElementById('listening');
const frames = document.getElementById('frames');

const ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#explorer',
  deepLinking: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  displayOperationId: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  validatorUrl: null,
  plugins: [{ statePlugins: { spec: { wrapActions: { updateJsonSpec: fitForShow } } } }],
  requestInterceptor: (request) => Object.assign(request, { userFetch: fetchOrListen }),
  responseInterceptor: adoptToken,
  onComplete: showWho,
});

/**
 * Changes the document for Swagger UI. It fills in all examples: optional parameters stay empty, because together they make a
 * useless request. It shows a closed lock to everybody where the token is optional: there only the token is listed.
 */
function fitForShow(update) {
  return (json) => {
    for (const operation of Object.values(json.paths ?? {}).flatMap(Object.values)) {
      if (operation.security?.length) {
        operation.security = operation.security.filter((way) => scheme in way);
      }
      for (const parameter of operation.parameters ?? []) {
        if (!parameter.required) delete parameter.example;
      }
    }
    return update(json);
  };
}

let stopListening = () => {};

/** The button that was pressed last. It is disabled during its call and therefore loses the focus. */
let executed = document.body;
document.addEventListener(
  'click',
  ({ target }) => (executed = target.closest('.execute') ?? executed),
  true,
);

function giveFocusBack(button) {
  if (button.disabled && button.isConnected) requestAnimationFrame(() => giveFocusBack(button));
  else button.focus();
}

/** Swagger UI shows an answer only after its end. A stream has no end, so this shows it while it arrives, until it is stopped. */
async function fetchOrListen(url, request) {
  const answer = await fetch(url, request);
  if (!answer.headers.get('Content-Type')?.startsWith('text/event-stream')) return answer;
  stopListening();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  const stop = () => void reader.cancel();
  const button = executed;
  stopListening = stop;
  frames.textContent = '';
  document.getElementById('source').textContent = new URL(url).pathname;
  listening.hidden = false;
  listening.querySelector('button').focus();
  let heard = '';
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true }));
    if (done) break;
    heard += value;
    frames.append(value);
    frames.scrollTop = frames.scrollHeight;
  }
  // Another stream may use the panel by now.
  if (stopListening === stop) {
    listening.hidden = true;
    giveFocusBack(button);
  }
  return new Response(heard, { status: answer.status, headers: answer.headers });
}

listening.addEventListener('submit', (event) => {
  event.preventDefault();
  stopListening();
});

/** Signing in by calling the login operation signs the page in, too. */
function adoptToken(answer) {
  const path = new URL(answer.url, location.href).pathname;
  if (!answer.ok) return answer;
  if (path === '/v1/logout') forget();
  if (answer.body?.access_token) keep(answer.body.access_token);
  return answer;
}

function keep(value) {
  ui.authActions.authorizeWithPersistOption({
    [scheme]: { name: scheme, schema: { type: 'http', scheme: 'bearer' }, value },
  });
  showWho();
}

function forget() {
  ui.authActions.logoutWithPersistOption([scheme]);
  showWho();
}

let expiry = 0;

/** The token that calls carry, if any. */
const token = () => ui.authSelectors.authorized().getIn([scheme, 'value']);

/** When a token expires (ms since 1970). A token that cannot be read never expires here; the server decides. */
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
    // A timer with a longer delay would fire at once.
    expiry = setTimeout(showWho, Math.min(left, 2 ** 31 - 1));
  }
  const known = !!token();
  signIn.hidden = known;
  signedIn.hidden = !known;
  document.getElementById('who').textContent = known ? 'Calls carry your token.' : '';
}

// Browsers pause timers in hidden tabs, so this checks when the page is visible again.
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
      // Bearer transport returns the token in the answer and leaves the web client's cookies unchanged.
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
    keep(answer.access_token);
    signIn.reset();
  } catch {
    note.textContent = 'The server does not answer.';
  }
});

signedIn.addEventListener('submit', (event) => {
  event.preventDefault();
  forget();
});
