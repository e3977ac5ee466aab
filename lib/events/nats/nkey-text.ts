const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const CRC_POLYNOMIAL = 0x1021;
/** Makes the text of a user's key begin with `U`. */
export const USER_PREFIX = 20 << 3;

/** The NKEY of a raw public key: its prefix, the key, CRC-16 (XMODEM) with its low byte first, all in base32. */
export function nkeyText(prefix: number, raw: Uint8Array): string {
  const bytes = Buffer.from([prefix, ...raw, 0, 0]);
  bytes.writeUInt16LE(crc16(bytes.subarray(0, -2)), bytes.length - 2);
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? []).map((five) => BASE32[Number.parseInt(five, 2)]).join("");
}

/** Whether the text is the public key of a user. */
export function isUserKey(text: string): boolean {
  if (!/^U[A-Z2-7]{55}$/.test(text)) return false;
  const bits = Array.from(text, (character) => BASE32.indexOf(character).toString(2).padStart(5, "0")).join("");
  const bytes = (bits.match(/.{8}/g) ?? []).map((eight) => Number.parseInt(eight, 2));
  return nkeyText(USER_PREFIX, Uint8Array.from(bytes.slice(1, -2))) === text;
}

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? CRC_POLYNOMIAL : 0)) & 0xffff;
  }
  return crc;
}
