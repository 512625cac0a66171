// SPDX-License-Identifier: GPL-2.0-only

/** LINKTYPE_ETHERNET. */
export const LINKTYPE_ETHERNET = 1;

/** Link types that people meet, by the number that files carry (the registry at tcpdump.org/linktypes.html). */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0, 'BSD loopback'],
  [1, 'Ethernet'],
  [6, 'Token Ring'],
  [8, 'SLIP'],
  [9, 'PPP'],
  [10, 'FDDI'],
  [50, 'PPP over HDLC'],
  [51, 'PPPoE'],
  [101, 'raw IP'],
  [104, 'Cisco HDLC'],
  [105, '802.11'],
  [107, 'Frame Relay'],
  [108, 'OpenBSD loopback'],
  [113, 'Linux cooked v1'],
  [117, 'OpenBSD pflog'],
  [119, '802.11 with Prism header'],
  [127, '802.11 with radiotap header'],
  [187, 'Bluetooth HCI'],
  [189, 'USB, Linux'],
  [192, 'PPI'],
  [195, '802.15.4'],
  [201, 'Bluetooth HCI with direction'],
  [220, 'USB, Linux, with padding'],
  [227, 'CAN'],
  [228, 'raw IPv4'],
  [229, 'raw IPv6'],
  [239, 'netfilter log'],
  [249, 'USB, Windows'],
  [253, 'netlink'],
  [274, 'Ethernet with preamble'],
  [276, 'Linux cooked v2'],
]);

/** A link type as messages name it, for example `113 (Linux cooked v1)`. */
export function linkTypeText(linkType: number): string {
  return `${linkType} (${NAMES.get(linkType) ?? 'not a type known here'})`;
}

/** What to do about a capture of this type. */
export function linkTypeRemedy(linkType: number): string {
  // Both come from capturing on the pseudo-device "any".
  if (linkType === 113 || linkType === 276) {
    return 'only Ethernet (1) is supported: capture on one interface, not on "any"';
  }
  return 'only Ethernet (1) is supported: capture on an Ethernet interface';
}
