/** A real server on a real port with mTLS, for tests of handlers. */
import type { TestContext } from 'node:test'
import { dial, type Channel } from '../client.ts'
import { createHealth, type Health } from '../health.ts'
import { startServer, type RunningServer, type ServerOptions, type Service } from '../server.ts'
import { testCertificates, type TestCertificates } from './certificates.ts'
import { recordingLog } from './log.ts'
import type { WorkloadSettings } from '../workload.ts'

export interface TestServer extends RunningServer {
  address: string
  component: string
  certificates: TestCertificates
  health: Health
  /** What the server logged, down to debug. */
  lines: Record<string, unknown>[]
  /** A channel of another component to this server; it closes with the test. */
  dialAs(caller: string): Channel
}

/** Serves as `component` until the test ends. */
export async function startTestServer(
  t: TestContext,
  component: string,
  services: Service[],
  options: Partial<ServerOptions> & {
    sharedCertificates?: TestCertificates
    settings?: Partial<WorkloadSettings>
  } = {},
): Promise<TestServer> {
  const { sharedCertificates: certificates = testCertificates(), ...rest } = options
  const { log, lines } = recordingLog()
  const health = createHealth()
  const { settings, ...serverOptions } = rest
  const workload = certificates.workloadOf(component, log, settings)
  const server = await startServer({ listen: '127.0.0.1:0', workload, services, log, health, ...serverOptions })
  health.markReady()
  t.after(async () => {
    await server.stop(0)
    workload.close()
  })
  const address = `127.0.0.1:${server.port}`
  const dialAs = (caller: string): Channel => {
    const own = certificates.workloadOf(caller, log, settings)
    const channel = dial({ address, component, workload: own, log, policies: rest.policies })
    t.after(() => {
      channel.close()
      own.close()
    })
    return channel
  }
  return { ...server, address, component, certificates, health, lines, dialAs }
}
