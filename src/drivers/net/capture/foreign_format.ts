// SPDX-License-Identifier: GPL-2.0-only

const TO_PCAPNG = 'convert it with editcap (Wireshark) first';

/** Files that people take for captures, or that are captures of other kinds: first bytes, name, what to do. */
const FOREIGN: ReadonlyArray<readonly [start: string, what: string, remedy: string]> = [
  ['28b52ffd', 'compressed with zstd', 'unpack it with zstd -d first'],
  ['fd377a585a00', 'compressed with xz', 'unpack it with xz -d first'],
  ['425a68', 'compressed with bzip2', 'unpack it with bzip2 -d first'],
  ['04224d18', 'compressed with lz4', 'unpack it with lz4 -d first'],
  ['504b0304', 'a zip archive', 'unpack it first'],
  ['1f8b', 'still compressed with gzip here', 'unpack it with gzip -d first'],
  ['a1b2cd34', "the 'modified' pcap format of old Linux systems", TO_PCAPNG],
  ['34cdb2a1', "the 'modified' pcap format of old Linux systems", TO_PCAPNG],
  ['a1b234cd', 'a modified pcap format', TO_PCAPNG],
  ['cd34b2a1', 'a modified pcap format', TO_PCAPNG],
  ['a12b3c4d', 'the Navtel pcap format', TO_PCAPNG],
  ['4d3c2ba1', 'the Navtel pcap format', TO_PCAPNG],
  ['736e6f6f70', 'a snoop capture', TO_PCAPNG],
  ['58435000', 'a Sniffer capture', TO_PCAPNG],
  ['52545353', 'a Microsoft Network Monitor capture', TO_PCAPNG],
  ['474d4255', 'a Microsoft Network Monitor capture', TO_PCAPNG],
];

/** What a file is that begins with these bytes (up to 8) and is neither pcap nor pcapng. */
export function describeForeign(start: Uint8Array): { what: string; remedy: string } {
  const hex = Array.from(start, (byte) => byte.toString(16).padStart(2, '0'));
  const text = hex.join('');
  for (const [prefix, what, remedy] of FOREIGN) {
    if (text.startsWith(prefix)) return { what, remedy };
  }
  if (start.length < 4) {
    return {
      what: `only ${start.length} bytes long, not a capture`,
      remedy: 'give a pcap or pcapng file',
    };
  }
  return {
    what: `neither pcap nor pcapng (it begins with ${hex.slice(0, 4).join(' ')})`,
    remedy: 'give a file written by tcpdump, dumpcap or Wireshark',
  };
}
