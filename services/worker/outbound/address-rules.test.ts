import { equal, ok, throws } from 'node:assert/strict'
import { test } from 'node:test'
import { isAllowed, parseAllowList, refusalOf } from './address-rules.ts'

const nothing = parseAllowList([])

test('only public addresses may be reached', async (t) => {
  const refused = [
    '0.0.0.0',
    '0.1.2.3',
    '10.0.0.1',
    '100.64.0.1',
    '100.100.100.200',
    '127.0.0.1',
    '127.255.255.254',
    '168.63.129.16',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.0.0.192',
    '192.0.2.1',
    '192.168.1.1',
    '198.18.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:8.8.8.8',
    '::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b::808:808',
    '64:ff9b:1::1',
    '100::1',
    '2001::1',
    '2001:db8::1',
    '2002:7f00:1::',
    '2002:a9fe:a9fe::1',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fec0::1',
    'ff02::1',
    '[::1]',
    '[::ffff:127.0.0.1]',
  ]
  for (const address of refused) await t.test(`${address} is refused`, () => ok(refusalOf(address, nothing)))
  for (const address of [
    '1.1.1.1',
    '8.8.8.8',
    '172.32.0.1',
    '192.169.0.1',
    '2606:4700:4700::1111',
    '[2606:4700:4700::1111]',
  ]) {
    await t.test(`${address} is allowed`, () => equal(refusalOf(address, nothing), undefined))
  }
})

test('the operator allows names, addresses and ranges, and nothing beside them', () => {
  const allowed = parseAllowList(['Receiver.Internal', '10.1.0.0/16', '127.0.0.1', 'fd00::/8'])
  equal(refusalOf('10.1.2.3', allowed), undefined)
  equal(refusalOf('127.0.0.1', allowed), undefined)
  equal(refusalOf('fd00::7', allowed), undefined)
  ok(refusalOf('10.2.0.1', allowed))
  ok(refusalOf('127.0.0.2', allowed))
  ok(refusalOf('::ffff:127.0.0.1', allowed))
  ok(isAllowed('receiver.internal.', allowed))
  ok(!isAllowed('other.internal', allowed))
  throws(() => parseAllowList(['http://x']), /neither a host name/)
})
