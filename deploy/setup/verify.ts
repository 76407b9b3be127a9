/**
 * What `helm test` runs, in pods of the installation's own namespace:
 *
 *     verify task                 a task that is created through the gateway succeeds
 *     verify access COMPONENT     as that component: every RPC that its contract does not open to it is refused
 *     verify stranger             as nobody: nothing is answered
 *
 * Prints one line for each finding; exits 1 when one is wrong.
 */
import { createLogger } from '@flowforge/runtime/log'
import { components, type Component } from '@flowforge/runtime/policy'
import { openWorkload } from '@flowforge/runtime/workload'
import { read, verifySpec } from './config.ts'
import { refusedCalls, strangerCalls, type Finding } from './refused-calls.ts'
import { taskSucceeds } from './task-succeeds.ts'

const [mode, component] = process.argv.slice(2)
const config = read(verifySpec)
const log = createLogger('verify', 'warn')
const servers = { tasks: config.tasks, accounts: config.accounts, notifications: config.notifications }

let wrong = 0
for (const { claim, isRight } of await findings()) {
  process.stdout.write(`${isRight ? 'ok    ' : 'WRONG '} ${claim}\n`)
  if (!isRight) wrong += 1
}
process.exit(wrong === 0 ? 0 : 1)

async function findings(): Promise<Finding[]> {
  switch (mode) {
    case 'task':
      return [await taskSucceeds(config.gateway, config.keyFile)]
    case 'access': {
      if (!isComponent(component)) throw new Error(`verify access needs one of ${components.join(', ')}`)
      return refusedCalls(component, await openWorkload(component, config, log), servers, log)
    }
    case 'stranger':
      return strangerCalls(servers)
    default:
      throw new Error('usage: verify task | access COMPONENT | stranger')
  }
}

function isComponent(word: string | undefined): word is Component {
  return components.some((one) => one === word)
}
