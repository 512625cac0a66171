// SPDX-License-Identifier: GPL-2.0-only
/** What user space asks of the kernel, and what it answers: plain data, cloned on its way to a control worker. */

/** Values of a netlink message by attribute name, as the YNL specs name them. */
export type Attributes = { readonly [name: string]: unknown };

export type UapiRequest =
  /** A message of the generic netlink family `netdev`. */
  | {
      readonly kind: 'netlink';
      readonly op: string;
      readonly dump: boolean;
      readonly attrs: Attributes;
    }
  /** read(2) of a whole file below /sys or /proc. The value is its text. */
  | { readonly kind: 'read'; readonly path: string }
  /** write(2) of a whole text. */
  | { readonly kind: 'write'; readonly path: string; readonly text: string }
  /** Names in a directory, those of directories with a slash behind. */
  | { readonly kind: 'list'; readonly path: string }
  /** Every sysctl: its dotted name and its text, sorted. */
  | { readonly kind: 'sysctls' }
  /** One ethtool netlink message; the operations are those of its YNL spec, and `stats-get`. */
  | { readonly kind: 'ethtool'; readonly op: string; readonly dev: string; readonly values: Attributes }
  /** RTM_GETLINK: of one device, or of all where `dev` is ''. */
  | { readonly kind: 'link-get'; readonly dev: string }
  /** RTM_NEWLINK on an existing device. */
  | { readonly kind: 'link-set'; readonly dev: string; readonly up?: boolean; readonly name?: string };

/** What netlink adds to an error (extended acknowledgement), in the words of the YNL tool. */
export interface Extack {
  readonly msg?: string;
  /** The attribute that is wrong, with a dot before it. */
  readonly badAttr?: string;
  /** The attribute that is missing. */
  readonly missType?: string;
  readonly policy?: { readonly min: number; readonly max: number };
  /** Where in the message the wrong attribute begins, bytes. */
  readonly offset?: number;
}

export interface UapiReply {
  /** 0 or a negative errno. */
  readonly err: number;
  /** One line; '' without an error. */
  readonly message: string;
  readonly extack: Extack | null;
  readonly value: unknown;
}
