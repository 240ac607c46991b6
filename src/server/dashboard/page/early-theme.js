// A classic script in the head runs before the first paint, so that the page never flashes in the
// theme that wasn't chosen.
;(() => {
  try {
    const theme = localStorage.getItem('theme')
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset['theme'] = theme
  } catch {
    // Storage may be forbidden: then the system's theme applies.
  }
})()
