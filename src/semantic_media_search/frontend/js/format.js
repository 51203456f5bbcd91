/** Seconds as a person writes them: 1:05, or 1:02:03. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (!parts[0]) parts.shift();
  return parts.map((part, place) => (place ? String(part).padStart(2, "0") : String(part))).join(":");
}

export const percent = (strength) => `${Math.round(strength * 100)} %`;

export const count = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

/** A capture time by the camera's clock, without a time zone's arithmetic. */
export function day(iso) {
  const [year, month, date] = iso.slice(0, 10).split("-").map(Number);
  const shown = new Date(year, month - 1, date);
  return `${shown.toLocaleDateString("en", { day: "numeric", month: "long", year: "numeric" })}, ${iso.slice(11, 16)}`;
}

/** The words for how strong a match is. */
export function strengthWords(strength) {
  if (strength >= 0.85) return "very strong match";
  if (strength >= 0.6) return "strong match";
  if (strength >= 0.42) return "fair match";
  return "weak match";
}
