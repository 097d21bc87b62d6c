// Pages work without this. What it adds: keys, copy buttons, drawing over bars, and words while a query is typed.

const base = document.body.dataset.base;
const typing = (target) => target.closest('input, textarea, select, dialog');

// Keys -----------------------------------------------------------------------------------------------------------

const places = { o: '', s: 'search', l: 'live', f: 'findings', d: 'delivery' };
let going = false;

function rows() {
  return [...document.querySelectorAll('[data-row]')]
    .map((row) => (row instanceof HTMLDetailsElement ? row.querySelector('summary') : row))
    .filter((row) => row.checkVisibility());
}

function step(by) {
  const all = rows();
  if (all.length === 0) return;
  const at = all.findIndex((row) => row === document.activeElement || row.contains(document.activeElement));
  const next = at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1);
  all[next].focus();
  all[next].scrollIntoView({ block: 'nearest' });
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Escape' && event.target.id === 'q') event.target.blur();
  if (typing(event.target)) return;
  const went = going;
  going = false;
  if (went && event.key in places) {
    location.assign(base + places[event.key]);
  } else if (event.key === '/') {
    const query = document.getElementById('q');
    query.focus();
    query.setSelectionRange(query.value.length, query.value.length);
  } else if (event.key === '?') {
    document.getElementById('keys').showModal();
  } else if (event.key === 'j' || event.key === 'k') {
    step(event.key === 'j' ? 1 : -1);
  } else if (event.key === 'n') {
    document.querySelector('a[rel=next]')?.click();
  } else if (event.key === 'Enter' && event.target.matches('tr[data-row]')) {
    event.target.querySelector('a')?.click();
    return;
  } else if (event.key === 'g') {
    going = true;
  } else {
    return;
  }
  event.preventDefault();
});

// Commands to copy -------------------------------------------------------------------------------------------------

for (const code of document.querySelectorAll('[data-copy]')) {
  if (!navigator.clipboard) break;
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  button.textContent = 'Copy';
  button.setAttribute('aria-label', 'Copy: ' + code.textContent);
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = 'Copied';
  });
  code.after(button);
}

// Drawing over bars: the page about the time drawn over ----------------------------------------------------------

for (const chart of document.querySelectorAll('[data-chart] .plot')) {
  const bars = [...chart.querySelectorAll('a[data-from]')];
  let first = null;
  let last = null;
  const at = (event) => {
    const box = chart.getBoundingClientRect();
    const place = Math.floor(((event.clientX - box.left) / box.width) * bars.length);
    return Math.min(Math.max(place, 0), bars.length - 1);
  };
  const draw = () => {
    const [from, to] = [Math.min(first, last), Math.max(first, last)];
    bars.forEach((bar, place) => bar.classList.toggle('picked', place >= from && place <= to));
  };
  const end = () => {
    first = null;
    bars.forEach((bar) => bar.classList.remove('picked'));
  };
  chart.addEventListener('dragstart', (event) => event.preventDefault());
  chart.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || event.pointerType === 'touch' || bars.length === 0) return;
    first = last = at(event);
  });
  addEventListener('pointermove', (event) => {
    if (first === null) return;
    last = at(event);
    draw();
  });
  addEventListener('pointerup', () => {
    if (first === null || first === last) return end();
    const [from, to] = [bars[Math.min(first, last)], bars[Math.max(first, last)]];
    const url = new URL(from.getAttribute('href'), location.href);
    url.searchParams.set('since', from.dataset.from);
    url.searchParams.set('until', to.dataset.to);
    end();
    location.assign(url);
  });
  addEventListener('keydown', (event) => event.key === 'Escape' && end());
  addEventListener('pointercancel', end);
}

// Words while a query is typed -----------------------------------------------------------------------------------

const query = document.getElementById('q');
const list = document.createElement('ul');
list.className = 'complete';
list.id = 'q-words';
list.role = 'listbox';
list.setAttribute('aria-label', 'How it may go on');
list.hidden = true;
query?.after(list);
query?.setAttribute('role', 'combobox');
query?.setAttribute('aria-expanded', 'false');
query?.setAttribute('aria-controls', list.id);
query?.setAttribute('aria-autocomplete', 'list');
let picked = -1;
let asking = null;

function show(words, from) {
  picked = -1;
  list.replaceChildren(...words.map((word, place) => {
    const item = document.createElement('li');
    item.role = 'option';
    item.id = 'q-word-' + place;
    const code = document.createElement('code');
    code.textContent = word.text;
    const meaning = document.createElement('span');
    meaning.textContent = word.meaning;
    item.append(code, meaning);
    item.addEventListener('pointerdown', (event) => {
      event.preventDefault();
      take(word, from);
    });
    item.take = () => take(word, from);
    return item;
  }));
  list.hidden = words.length === 0;
  query.setAttribute('aria-expanded', String(!list.hidden));
  query.removeAttribute('aria-activedescendant');
}

function take(word, from) {
  const end = [...query.value.slice(query.selectionStart)].join('');
  const begin = [...query.value.slice(0, query.selectionStart)].slice(0, from).join('') + word.text;
  query.value = begin + end.trimStart();
  query.setSelectionRange(begin.length, begin.length);
  show([], 0);
  if (word.text.endsWith(':')) complete();
}

async function complete() {
  asking?.abort();
  asking = new AbortController();
  try {
    const typed = query.value.slice(0, query.selectionStart);
    const answer = await fetch(base + 'complete?' + new URLSearchParams({ q: typed }), { signal: asking.signal });
    if (!answer.ok) return show([], 0);
    const { from, words } = await answer.json();
    if (document.activeElement === query) show(words, from);
  } catch (error) {
    if (error.name !== 'AbortError') show([], 0);
  }
}

query?.addEventListener('input', () => complete());
query?.addEventListener('blur', () => show([], 0));
query?.addEventListener('keydown', (event) => {
  if (list.hidden) return;
  const items = [...list.children];
  if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    picked = (picked + (event.key === 'ArrowDown' ? 1 : items.length - 1) + (picked < 0 && event.key === 'ArrowUp' ? 1 : 0)) % items.length;
    items.forEach((item, place) => item.setAttribute('aria-selected', String(place === picked)));
    items[picked].scrollIntoView({ block: 'nearest' });
    query.setAttribute('aria-activedescendant', items[picked].id);
  } else if ((event.key === 'Enter' || event.key === 'Tab') && picked >= 0) {
    items[picked].take();
  } else if (event.key === 'Escape') {
    show([], 0);
    event.stopPropagation();
  } else {
    return;
  }
  event.preventDefault();
});

// On a narrow screen the facets begin closed: the lines come first.
if (matchMedia('(max-width: 60rem)').matches) document.querySelector('.facets')?.removeAttribute('open');
