import type { Experiment } from '../experiment.ts'

export const authorityRotated: Experiment = {
  name: 'authority-rotated',
  title: 'The authority of all certificates is replaced under load',
  hypothesis:
    'Trust first, sign later, forget last: no call fails because of a certificate, and no process is restarted.',
  fault: { kind: 'rotateCertificates' },
  bounds: { errorShareMax: 0.01, recoverMsMax: 3_000 },
  explanation:
    'Files are read again while the process runs; connections made before live on, new ones use what is new.',
}

export const certificateExpired: Experiment = {
  name: 'certificate-expired',
  title: 'The certificate of the gateway expires and is renewed 8 s later',
  hypothesis:
    'Nobody talks to the gateway’s expired certificate: calls are UNAVAILABLE. The renewed one is used without a restart.',
  fault: { kind: 'expireCertificate', part: 'gateway', forMs: 11_000 },
  bounds: { errorShareMax: 0.8, recoverMsMax: 8_000, detectMsMax: 6_000 },
  explanation:
    'A certificate is looked at when a connection is made, so an expiry is seen with the next new connection.',
}

export const policyDenied: Experiment = {
  name: 'policy-denied',
  title: 'Policy no longer lets the gateway in',
  hypothesis:
    'Every call is refused at once and without a retry, nothing is written, and all is well with the first call after the policy is put right.',
  fault: { kind: 'deny', part: 'gateway', mode: 'enforce', forMs: 6_000 },
  bounds: { errorShareMax: 0.9, recoverMsMax: 10_000, detectMsMax: 5_000 },
  explanation: 'A refusal is no outage: repeating it cannot help, and it must not open a breaker.',
}

export const policyAudited: Experiment = {
  name: 'policy-audited',
  title: 'Policy is flipped to audit, no longer lets the gateway in, and is flipped back',
  hypothesis:
    'Nobody notices but who reads the figures: from the flip on each call against policy is served, logged and counted, so that one sees what `enforce` would refuse.',
  system: { instances: 2 },
  fault: { kind: 'deny', part: 'gateway', mode: 'audit', forMs: 6_000 },
  bounds: { errorShareMax: 0.001, recoverMsMax: 3_000, auditedMin: 200 },
  explanation:
    'The verdict is the same under both modes, one place turns it into a refusal or a line in the log ([`served-method.ts`](../../services/runtime/served-method.ts)). The counter is `grpc_server_denied_total{enforced="false"}`.',
}
