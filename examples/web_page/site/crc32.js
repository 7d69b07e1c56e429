// Bytes come in, as many times as wanted; their CRC-32 goes out (the one of gzip and PNG: RFC 1952, section 8).

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});

export class Crc32 {
  #sum = 0xffffffff;

  add(bytes) {
    let sum = this.#sum;
    for (const byte of bytes) sum = TABLE[(sum ^ byte) & 0xff] ^ (sum >>> 8);
    this.#sum = sum;
  }

  /** Eight hexadecimal digits. */
  toString() {
    return ((this.#sum ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
  }
}
