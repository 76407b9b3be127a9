/** What an operator types where no manifest does it, or where Chaos Mesh is absent: the fault, and what ends it. */
import type { Fault } from '../fault.ts'
import { flagsOf, nameOf, type Installation } from './installation.ts'

export interface Commands {
  inject: string[]
  /** Ends the fault early or after its time; empty where it ends by itself. */
  heal: string[]
}

/** kubectl's way to do a fault; undefined where it has none. */
export function commandsOf(fault: Fault, installation: Installation): Commands | undefined {
  const { namespace, release } = installation
  const scope = `--namespace ${namespace}`
  switch (fault.kind) {
    case 'kill': {
      const grace = fault.signal === 'SIGKILL' ? ' --grace-period 0 --force' : ''
      const one = `$(kubectl get pods ${flagsOf(fault.part, installation)} --output name | head -n 1)`
      return { inject: [`kubectl delete ${scope} ${one}${grace} --wait=false`], heal: [] }
    }
    case 'roll': {
      const restarts = fault.parts.flatMap((part) => [
        `kubectl rollout restart ${scope} deployment/${nameOf(part, installation)}`,
        `kubectl rollout status ${scope} deployment/${nameOf(part, installation)} --timeout 120s`,
      ])
      return { inject: restarts, heal: [] }
    }
    case 'terminateConnections': {
      const one = `select pid from pg_stat_activity where usename like 'flowforge%' order by random() limit 1`
      const psql = `psql --username postgres --command "select pg_terminate_backend(pid) from (${one}) one"`
      return { inject: [`kubectl exec ${scope} ${nameOf('postgres', installation)}-0 -- ${psql}`], heal: [] }
    }
    case 'upstreamAnswers': {
      const label = 'app.kubernetes.io/name=flowforge-fault'
      return { inject: [], heal: [`kubectl delete ${scope} grpcroute,service,deployment --selector ${label}`] }
    }
    case 'deny': {
      // Linkerd denies what no authorization allows.
      const routes = `authorizationpolicy.policy.linkerd.io ${flagsOf('tasks', installation)}`
      const keep = `kubectl get ${routes} --output yaml > authorizations.yaml`
      const deny = {
        inject: [keep, `kubectl delete ${routes}`],
        heal: ['kubectl apply --filename authorizations.yaml'],
      }
      if (fault.mode === 'enforce') return deny
      const flip = (mode: string) =>
        `helm upgrade ${scope} ${release} helm/flowforge --reuse-values --set mesh.policyMode=${mode} --wait`
      return { inject: [flip('audit'), ...deny.inject], heal: [...deny.heal, flip('deny')] }
    }
    case 'rotateCertificates': {
      const again = 'kubectl rollout restart --namespace linkerd deployment/linkerd-identity'
      return { inject: ['kubectl delete secret --namespace linkerd linkerd-identity-issuer', again], heal: [] }
    }
    case 'upgrade': {
      const newer = `helm upgrade ${scope} ${release} helm/flowforge --reuse-values --wait`
      return { inject: [newer], heal: [`helm rollback ${scope} ${release}`] }
    }
    default:
      return undefined
  }
}
