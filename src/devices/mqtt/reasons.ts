// Reasons for which a broker or the connection to it fails: reason codes of MQTT 3.1.1 (3.2.2.3, 3.9.3) and MQTT 5
// (2.4), and error codes of Node's sockets, each with its text and error code.

import { type AtollError, fail, reasonOf } from '../../base/errors.js';

interface Refusal {
  readonly code: BrokerErrorCode;
  /** A sentence whose subject "it" is the broker. */
  readonly reason: string;
}
type BrokerErrorCode = 'BROKER_REFUSED' | 'BROKER_QUOTA' | 'BROKER_LIMIT' | 'BROKER_UNREACHABLE' | 'BROKER_TLS';

const refused = (reason: string): Refusal => ({ code: 'BROKER_REFUSED', reason });
const quota = (reason: string): Refusal => ({ code: 'BROKER_QUOTA', reason });
const limit = (reason: string): Refusal => ({ code: 'BROKER_LIMIT', reason });
const away = (reason: string): Refusal => ({ code: 'BROKER_UNREACHABLE', reason });
const insecure = (reason: string): Refusal => ({ code: 'BROKER_TLS', reason });

const takenOverCode = 142;
/** Codes for an unsupported protocol version, of 3.1.1 and of 5. */
const otherVersionCodes: ReadonlySet<number> = new Set([1, 132]);

const byReasonCode: Readonly<Record<number, Refusal>> = {
  1: limit('it does not support this version of MQTT'),
  2: refused('it does not accept the client id'),
  3: away('it is not available'),
  4: refused('wrong user name or password'),
  5: refused('not authorized'),
  128: refused('it gives no reason (code 128)'),
  129: refused('it reports a malformed packet'),
  130: refused('it reports a protocol error'),
  131: refused('implementation-specific error (code 131)'),
  132: limit('it does not support this version of MQTT'),
  133: refused('it does not accept the client id'),
  134: refused('wrong user name or password'),
  135: refused('not authorized'),
  136: away('it is not available'),
  137: away('it is busy'),
  138: refused('this client is banned'),
  139: away('it is shutting down'),
  140: refused('it does not accept this authentication method'),
  141: away('it received nothing within the keepalive time'),
  [takenOverCode]: refused('another client has connected with the same client id'),
  143: refused('it does not accept the topic filter'),
  144: refused('it does not accept the topic name'),
  145: refused('a packet identifier was in use'),
  146: refused('unknown packet identifier'),
  147: quota('more unacknowledged messages than it allows (receive maximum)'),
  148: refused('it does not accept a topic alias'),
  149: quota('a message is larger than it allows'),
  150: quota('the message rate is too high'),
  151: quota('a quota is exceeded'),
  152: refused('its administrator closed the connection'),
  153: refused('it does not accept the payload format'),
  154: limit('it does not retain messages'),
  155: limit('it does not support QoS 1'),
  156: away('it asks to use another broker'),
  157: away('it has moved to another address'),
  158: limit('it does not support shared subscriptions'),
  159: quota('the connection rate is too high'),
  160: quota('the maximum connection time is over'),
  161: limit('it does not support subscription identifiers'),
  162: limit('it does not support subscriptions with wildcards'),
};

/** Error codes of Node and OpenSSL. */
const bySystemCode: Readonly<Record<string, Refusal>> = {
  ECONNREFUSED: away('nothing listens there'),
  ECONNRESET: away('the connection was reset'),
  EHOSTUNREACH: away('there is no route to it'),
  ENETUNREACH: away('there is no route to it'),
  ENOTFOUND: away('its name cannot be resolved'),
  EAI_AGAIN: away('its name cannot be resolved at the moment'),
  ETIMEDOUT: away('it does not answer'),
  EPIPE: away('it closed the connection'),
  DEPTH_ZERO_SELF_SIGNED_CERT: insecure('its certificate is self-signed and not trusted'),
  SELF_SIGNED_CERT_IN_CHAIN: insecure('its certificate is signed by an unknown authority'),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: insecure('its certificate is signed by an unknown authority'),
  UNABLE_TO_GET_ISSUER_CERT: insecure('its certificate is signed by an unknown authority'),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: insecure('its certificate is signed by an unknown authority'),
  ERR_TLS_CERT_ALTNAME_INVALID: insecure('its certificate is for another host name'),
  CERT_HAS_EXPIRED: insecure('its certificate has expired'),
  CERT_NOT_YET_VALID: insecure('its certificate is not valid yet: check the clock of this machine'),
  CERT_REVOKED: insecure('its certificate is revoked'),
  CERT_SIGNATURE_FAILURE: insecure('the signature of its certificate is wrong'),
  ERR_SSL_WRONG_VERSION_NUMBER: insecure('it does not speak TLS on this port'),
  ERR_SSL_PACKET_LENGTH_TOO_LONG: insecure('it does not speak TLS on this port'),
  ERR_SSL_UNSUPPORTED_PROTOCOL: insecure('it does not support a common version of TLS'),
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: insecure('it does not support a common version of TLS'),
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: insecure("it does not know the authority that signed this client's certificate"),
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: insecure("it does not accept this client's certificate"),
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: insecure("it does not accept this client's certificate"),
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: insecure("this client's certificate has expired"),
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED: insecure("this client's certificate is revoked"),
  ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE: insecure('it does not accept this kind of certificate'),
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: insecure('no common cipher, or it requires a client certificate'),
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: insecure('it requires a client certificate'),
  ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR: insecure("the key does not match this client's certificate"),
  ERR_OSSL_PEM_NO_START_LINE: insecure('a file given by ca, cert or key is not a PEM file'),
  ERR_OSSL_PEM_BAD_END_LINE: insecure('a file given by ca, cert or key is a damaged PEM file'),
  ERR_OSSL_PEM_BAD_BASE64_DECODE: insecure('a file given by ca, cert or key is a damaged PEM file'),
  ERR_OSSL_UNSUPPORTED: insecure('the file given by key contains no supported key'),
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: insecure('the files given by cert and key do not belong together'),
  ERR_OSSL_EVP_BAD_DECRYPT: insecure('the key is protected by a pass phrase, which is not supported'),
  ERR_MISSING_PASSPHRASE: insecure('the key is protected by a pass phrase, which is not supported'),
  ERR_OSSL_BAD_DECRYPT: insecure('the key is protected by a pass phrase, which is not supported'),
};

function refusalOf(error: unknown): Refusal {
  const code = codeOf(error);
  if (typeof code === 'number') return byReasonCode[code] ?? refused(`with reason code ${code}`);
  const names = (error as { readonly cert?: { readonly subjectaltname?: string } }).cert?.subjectaltname;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' && names !== undefined)
    return insecure(`its certificate is for ${names}, not for this host name`);
  const known = code === null ? undefined : bySystemCode[code];
  if (known !== undefined) return known;
  const reason = reasonOf(error) === '' ? String(code) : reasonOf(error);
  return /^ERR_(SSL|TLS|OSSL)|CERT/.test(code ?? '') ? insecure(reason) : away(reason);
}

/** The reason code of an MQTT packet, or the error code of a socket; null if the error has neither. */
function codeOf(error: unknown): number | string | null {
  const { code, packet } = error as {
    readonly code?: unknown;
    readonly packet?: { readonly granted?: readonly number[] };
  };
  const granted = packet?.granted?.find((one) => one >= 128);
  if (granted !== undefined) return granted;
  return typeof code === 'number' || typeof code === 'string' ? code : null;
}

/** Whether the broker may accept another version of MQTT. */
export function mayBeVersion(error: unknown): boolean {
  const code = codeOf(error);
  return typeof code === 'number' && otherVersionCodes.has(code);
}

/** Text for why there is no connection. */
export function troubleText(error: unknown): string {
  return refusalOf(error).reason;
}

/** Text for the reason code of a DISCONNECT. */
export function disconnectText(reasonCode: number): string {
  return byReasonCode[reasonCode]?.reason ?? `it ended the connection with reason code ${reasonCode}`;
}

export function isTakeover(reasonCode: number): boolean {
  return reasonCode === takenOverCode;
}

/** @param doing what was requested of the broker, such as "subscribing to x"; null for the connection itself */
export function brokerError(broker: string, error: unknown, doing: string | null = null): AtollError {
  const { code, reason } = refusalOf(error);
  return fail(code, { broker, reason: doing === null ? reason : `${doing}: ${reason}` }, error);
}
