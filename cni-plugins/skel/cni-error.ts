/** Codes of the specification ("Error"), and from 100 on our own. */
export const CniCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  decodeFailure: 6,
  invalidConfig: 7,
  tryAgainLater: 11,
  notAvailable: 50,
  /** A program or system call that the plugin needs has failed. */
  systemFailure: 100,
  /** CHECK found that the network is not as the result says. */
  checkFailed: 101,
  /** ADD for an attachment that exists. */
  alreadyAttached: 102,
} as const;

export type CniCode = (typeof CniCode)[keyof typeof CniCode];

/** A failure that the caller is told: `message` is short, `details` may be long. */
export class CniError extends Error {
  readonly code: CniCode;
  readonly details: string | undefined;

  constructor(code: CniCode, message: string, details?: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "CniError";
    this.code = code;
    this.details = details;
  }
}
