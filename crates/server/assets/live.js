// The live page: new entries are put on top as the server sends them. Reading further down holds them back; a lost connection goes on where it ended.

const base = document.body.dataset.base;
const list = document.getElementById('live');
const state = document.getElementById('live-state');
const button = document.getElementById('live-pause');
const query = list.dataset.q;
const MOST = 500;
const waiting = new Map();
let paused = false;
let lost = false;

const east = Number(list.dataset.east) * 60_000;
// What is on the page, by where it stands in its log.
const seen = new Map([...list.querySelectorAll('[data-id]')].map((item) => [item.dataset.id, item]));
const idOf = (entry) => entry.source + ':' + entry.line;

// As the server writes them: in its own zone.
const shown = (ts) => (ts ? new Date(Date.parse(ts) + east).toISOString().slice(0, 19).replace('T', ' ') : 'no time');

function piece(name, className, text) {
  const node = document.createElement(name);
  node.className = className;
  node.textContent = text;
  return node;
}

// Control and direction characters are shown, not obeyed.
const harmless = (text) => (text ?? '').replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (c) => {
  const code = c.codePointAt(0);
  return code < 256 ? '\\x' + code.toString(16).padStart(2, '0') : '\\u{' + code.toString(16) + '}';
});

const tones = { auth_ok: 'good', sent: 'good', auth_failed: 'bad', bounced: 'bad', expired: 'bad', tls_failed: 'bad', relayhost_auth_failed: 'bad', backend_fault: 'fault', backend_evidence: 'fault', auth_refused: 'warn', relay_denied: 'warn', not_logged_in: 'warn', deferred: 'warn', rate_limited: 'warn', sender_mismatch: 'warn' };

function row(entry) {
  const item = piece('li', 'entry fresh', '');
  item.dataset.id = idOf(entry);
  const details = document.createElement('details');
  details.dataset.row = '';
  const summary = document.createElement('summary');
  const time = piece('time', 'when', shown(entry.ts));
  time.dateTime = entry.ts ?? '';
  const program = [entry.service, entry.daemon].filter(Boolean).join('/') || entry.tag;
  summary.append(time, ' ', piece('span', 'prog', harmless(program)), ' ', piece('span', 'text', harmless(entry.text)));
  if (entry.class) {
    const known = piece('span', 'known', '');
    known.append(piece('span', 'tag t-' + (tones[entry.class] ?? 'plain'), entry.class.replaceAll('_', ' ')), ' ', piece('span', 'cause', entry.cause ?? ''));
    summary.append(' ', known);
  }
  const more = piece('div', 'more', '');
  const fields = piece('dl', 'fields', '');
  for (const [name, value] of Object.entries(entry)) {
    if (['text', 'class', 'tag', 'pid', 'instance'].includes(name)) continue;
    const pair = document.createElement('div');
    pair.append(piece('dt', '', name), piece('dd', '', harmless(String(value))));
    fields.append(pair);
  }
  const alone = document.createElement('a');
  alone.textContent = 'this line alone';
  alone.href = base + 'search?' + new URLSearchParams({ q: 'source:"' + String(entry.source).replace(/["\\*]/g, '\\$&') + '" line:' + entry.line });
  const links = piece('p', 'links', '');
  links.append(alone);
  more.append(fields, links);
  details.append(summary, more);
  item.append(details);
  return item;
}

function tell() {
  const held = waiting.size > 0 ? ` ${waiting.size} new, held back.` : '';
  state.textContent = (lost ? 'The connection is lost; it is being made again.' : paused ? 'Paused.' : 'New lines come by themselves.') + held;
  button.textContent = paused ? 'Go on' : 'Pause';
}

function flush() {
  if (paused) return;
  for (const [id, entry] of waiting) {
    const item = row(entry);
    seen.set(id, item);
    list.prepend(item);
  }
  waiting.clear();
  while (list.children.length > MOST) {
    seen.delete(list.lastElementChild.dataset.id);
    list.lastElementChild.remove();
  }
  document.getElementById('live-empty')?.remove();
  tell();
}

button.hidden = false;
button.addEventListener('click', () => {
  paused = !paused;
  if (!paused) scrollTo({ top: 0 });
  flush();
  tell();
});

// Whoever reads further down is not moved away from it.
addEventListener('scroll', () => {
  const down = scrollY > list.offsetTop;
  if (down === paused) return;
  paused = down;
  flush();
  tell();
}, { passive: true });

// A browser that comes back says by itself how far it was.
const stream = new EventSource(base + 'api/v1/stream?' + new URLSearchParams({ ...(query ? { q: query } : {}), after: list.dataset.after, seen: list.dataset.seen }));
stream.addEventListener('open', () => { lost = false; tell(); });
stream.addEventListener('error', () => { lost = true; tell(); });

// More is known of a row than when it came: it stays where it is.
function again(id, entry) {
  const known = seen.get(id);
  if (waiting.has(id)) waiting.set(id, entry);
  if (!known) return waiting.has(id);
  const item = row(entry);
  item.classList.remove('fresh');
  item.querySelector('details').open = known.querySelector('details')?.open ?? false;
  known.replaceWith(item);
  seen.set(id, item);
  return true;
}

stream.addEventListener('again', (event) => {
  for (const entry of JSON.parse(event.data)) again(idOf(entry), entry);
  tell();
});
stream.addEventListener('message', (event) => {
  for (const entry of JSON.parse(event.data)) {
    const id = idOf(entry);
    if (again(id, entry)) continue;
    waiting.set(id, entry);
    // What nobody reads is not kept for ever.
    if (waiting.size > MOST) waiting.delete(waiting.keys().next().value);
  }
  flush();
  tell();
});
tell();
