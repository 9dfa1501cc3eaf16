// Before anything is painted: the theme that was chosen here, so that a night page never begins with a white one.
try {
  const kept = localStorage.getItem('majlis.theme');
  if (kept === 'night' || kept === 'paper') {
    document.documentElement.dataset.theme = kept;
    document.querySelector('meta[name=color-scheme]').content = kept === 'night' ? 'dark' : 'light';
  }
} catch {
  // A browser that keeps nothing follows the system.
}
