const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const CRC_POLYNOMIAL = 0x1021;

/** The NKEY of a raw public key: its prefix, the key, CRC-16 (XMODEM) with its low byte first, all in base32. */
export function nkeyText(prefix: number, raw: Uint8Array): string {
  const bytes = Buffer.from([prefix, ...raw, 0, 0]);
  bytes.writeUInt16LE(crc16(bytes.subarray(0, -2)), bytes.length - 2);
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  return (bits.match(/.{5}/g) ?? []).map((five) => BASE32[Number.parseInt(five, 2)]).join("");
}

function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? CRC_POLYNOMIAL : 0)) & 0xffff;
  }
  return crc;
}
