import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'node:test'
import { status } from '@grpc/grpc-js'
import { decide, type Caller, type Rule } from './decide.ts'
import { rateLimit } from './rate-limit.ts'

const gateway: Caller = { identity: 'gateway.flowforge', component: 'gateway' }
const worker: Caller = { identity: 'worker.flowforge', component: 'worker' }
const stranger: Caller = { identity: 'somebody.elsewhere', component: undefined }

const perSecond = (requestsPerSecond: number) => rateLimit({ requestsPerSecond, perIdentity: undefined })

test('the route is judged before the caller, and the caller before the rate', () => {
  const rule: Rule = { callers: new Set(['gateway']), rates: [perSecond(1)] }
  const codes = (caller: Caller) => [decide(undefined, caller, 0)?.code, decide(rule, caller, 0)?.code]
  deepEqual(codes(stranger), [status.NOT_FOUND, status.PERMISSION_DENIED])
  deepEqual(codes(worker), [status.NOT_FOUND, status.PERMISSION_DENIED])
  deepEqual(codes(gateway), [status.NOT_FOUND, undefined])
  deepEqual(codes(gateway), [status.NOT_FOUND, status.RESOURCE_EXHAUSTED])
})

test('a caller that may not call uses up nobody’s rate', () => {
  const rule: Rule = { callers: new Set(['gateway']), rates: [perSecond(1)] }
  for (let call = 0; call < 10; call++) decide(rule, worker, 0)
  equal(decide(rule, gateway, 0), undefined)
})

test('the port’s rate is charged before the RPC’s own', () => {
  const port = perSecond(2)
  const rule: Rule = { callers: new Set(['gateway']), rates: [port, perSecond(1)] }
  equal(decide(rule, gateway, 0), undefined)
  equal(decide(rule, gateway, 0)?.retryAfterMs, 1_000)
  equal(decide(rule, gateway, 0)?.retryAfterMs, 500)
})
