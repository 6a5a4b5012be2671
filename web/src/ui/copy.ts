//! Copying a text where the clipboard's own interface is missing, as it is on plain HTTP.

/** Whether it was copied. */
export function copy(text: string): boolean {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'unseen';
  document.body.append(area);
  area.select();
  try {
    return document.execCommand('copy');
  } catch {
    return false;
  } finally {
    area.remove();
  }
}
