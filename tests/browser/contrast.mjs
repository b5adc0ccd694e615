// Whether texts can be told from what is behind them.

export const CONTRAST_LEAST = 4.5; // WCAG 2.2, 1.4.3

/** To be run inside a page: texts whose contrast with what is behind them is too small. */
export function faint(least) {
  const numbers = color => color.match(/[\d.]+/g).map(Number);
  const luminance = color => numbers(color).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const shows = element => [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())
    && element.checkVisibility() && !element.disabled;
  return [...document.querySelectorAll('body *')].filter(shows).filter(element => {
    const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < least;
  }).map(element => `${element.tagName} ${element.className}: ${element.textContent.slice(0, 40)}`).slice(0, 5);
}
