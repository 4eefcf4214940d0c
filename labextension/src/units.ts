/** Numbers with their units, as people read them. */

/** `< 0.1 s`, `0.4 s`, `12 s`, `2 min 5 s`, `1 h 3 min`. */
export function formatDuration(seconds: number): string {
  if (seconds < 0.05) {
    return '< 0.1 s';
  }
  if (seconds < 9.95) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return join(Math.floor(whole / 60), 'min', whole % 60, 's');
  }
  const minutes = Math.round(whole / 60);
  return join(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
}

/** A duration that is not known exactly, or still grows: `0 s`, `9 s`, `2 min 5 s`. */
export function formatWholeSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 10 ? `${whole} s` : formatDuration(whole);
}

/** `512 B`, `1.2 kB`, `34 MB`; powers of 1000. */
export function formatSize(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** A number with as many digits as tell it from others: `0.9931`, `1234.6`, `12,345`. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) {
    return String(value);
  }
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e15) {
    return value.toLocaleString('en');
  }
  return size !== 0 && (size < 1e-4 || size >= 1e9)
    ? value.toExponential(3)
    : String(Number(value.toPrecision(size >= 1000 ? 6 : 4)));
}

/** A value as the server writes it; of a fraction no more digits than a person reads: `12.65858`. */
export function formatValue(text = ''): string {
  return /^-?\d+\.\d{7,}$/.test(text) ? String(Number(Number(text).toPrecision(7))) : text;
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small > 0 ? `${large} ${largeUnit} ${small} ${smallUnit}` : `${large} ${largeUnit}`;
}
