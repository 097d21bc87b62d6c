// Pages work without this. What it adds: `/` goes to the query box.
addEventListener('keydown', (event) => {
  if (event.key === '/' && !event.target.closest('input, textarea, select')) {
    event.preventDefault();
    document.getElementById('q')?.focus();
  }
});
