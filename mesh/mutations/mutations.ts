/**
 * Bugs that the compiler could have, each as a change of one place of its source. `mutations.test.ts` makes each of them.
 * One in `policy/` must show in what is read or refused of the specification's contracts, one in `compile/` in the proof
 * of equivalence. The list grows with every bug that was found another way.
 */
export interface Mutation {
  /** The bug in words. */
  bug: string
  /** The file below `mesh`. */
  file: string
  /** Stands exactly once in the file. */
  find: string
  replace: string
}

export const mutations: Mutation[] = [
  {
    bug: 'the last RPC of a component gets no inbound route',
    file: 'compile/inbound.ts',
    find: 'const routes: InboundRoute[] = methods.map(',
    replace: 'const routes: InboundRoute[] = methods.slice(0, -1).map(',
  },
  {
    bug: 'the first RPC of a component gets no outbound route, so neither time nor retries',
    file: 'compile/outbound.ts',
    find: 'const routes = served.methods.map(',
    replace: 'const routes = served.methods.slice(1).map(',
  },
  {
    bug: 'the catch-all of a Service is missing',
    file: 'compile/outbound.ts',
    find: "return [...routes, route(served, 'out-rest', {}, undefined, installation)]",
    replace: 'return routes',
  },
  {
    bug: 'the catch-all matches by a header',
    file: 'compile/outbound.ts',
    find: "route(served, 'out-rest', {}, undefined, installation)",
    replace:
      "route(served, 'out-rest', { matches: [{ headers: [{ name: 'te', value: 'trailers' }] }] }, undefined, installation)",
  },
  {
    bug: 'a catch-all lets undeclared RPCs into a component',
    file: 'compile/inbound.ts',
    find: 'spec: { parentRefs: [serverRef(component, installation)], rules: [{ matches }] },',
    replace:
      "spec: { parentRefs: [serverRef(component, installation)], rules: name === 'health' ? [{ matches }, {}] : [{ matches }] },",
  },
  {
    bug: 'a component with a rate gets a gRPC Server, which drops the rate',
    file: 'compile/component.ts',
    find: "port.meshRate ? ('HTTP/2' as const) : ('gRPC' as const)",
    replace: "'gRPC' as const",
  },
  {
    bug: 'every component gets an HTTP/2 Server but GRPCRoutes',
    file: 'compile/inbound.ts',
    find: "const isGrpc = protocol === 'gRPC'",
    replace: 'const isGrpc = true',
  },
  {
    bug: 'every component gets a gRPC Server but HTTPRoutes',
    file: 'compile/inbound.ts',
    find: 'proxyProtocol: protocol,',
    replace: "proxyProtocol: 'gRPC',",
  },
  {
    bug: 'the gateway and the worker are taken for each other',
    file: 'compile/inbound.ts',
    find: 'components.filter((one) => callers.has(one)).map((one) => installation.identity(one))',
    replace:
      "components.filter((one) => callers.has(one)).map((one) => installation.identity(one === 'gateway' ? 'worker' : one === 'worker' ? 'gateway' : one))",
  },
  {
    bug: 'the last caller of a set is dropped',
    file: 'compile/inbound.ts',
    find: 'spec: { identities: components.filter((one) => callers.has(one)).map(',
    replace: 'spec: { identities: components.filter((one) => callers.has(one)).slice(0, -1).map(',
  },
  {
    bug: 'everybody in the mesh is a caller',
    file: 'compile/inbound.ts',
    find: 'spec: { identities: components.filter((one) => callers.has(one)).map((one) => installation.identity(one)) },',
    replace: "spec: { identities: ['*'] },",
  },
  {
    bug: 'sets of callers share one authentication',
    file: 'compile/inbound.ts',
    find: "return `from-${components.filter((one) => callers.has(one)).join('-')}`",
    replace: "return 'from-some'",
  },
  {
    bug: 'health is only for declared callers of nothing',
    file: 'compile/inbound.ts',
    find: 'callers: new Set(components) })',
    replace: "callers: new Set(['operator' as const]) })",
  },
  {
    bug: 'authorizations target the Server, so whoever may call one RPC may call all',
    file: 'compile/inbound.ts',
    find: "kind: protocol === 'gRPC' ? 'GRPCRoute' : 'HTTPRoute',\n        name: objectName(component, `in-${name}`, installation),",
    replace: "kind: 'Server',\n        name: objectName(component, 'grpc', installation),",
  },
  {
    bug: 'the Server lets in whatever is authenticated',
    file: 'compile/inbound.ts',
    find: 'accessPolicy: installation.accessPolicy,',
    replace: "accessPolicy: 'all-authenticated',",
  },
  {
    bug: 'the Server is in audit mode for good',
    file: 'compile/inbound.ts',
    find: 'accessPolicy: installation.accessPolicy,',
    replace: "accessPolicy: 'audit',",
  },
  {
    bug: 'the Server selects another port',
    file: 'compile/inbound.ts',
    find: "port: 'grpc',",
    replace: "port: 'admin',",
  },
  {
    bug: 'the Server selects the pods of another component',
    file: 'compile/inbound.ts',
    find: 'podSelector: { matchLabels: installation.selectorLabels(component) },',
    replace: "podSelector: { matchLabels: installation.selectorLabels('worker') },",
  },
  {
    bug: 'the limit of an identity is written as the total',
    file: 'compile/rate-limit.ts',
    find: '{ total: { requestsPerSecond: rate.requestsPerSecond } }',
    replace: '{ total: { requestsPerSecond: rate.perIdentity ?? rate.requestsPerSecond } }',
  },
  {
    bug: 'the limit of an identity is lost',
    file: 'compile/rate-limit.ts',
    find: 'if (rate.perIdentity !== undefined)',
    replace: 'if (rate.perIdentity === undefined)',
  },
  {
    bug: 'an exact path is written as a prefix, so one RPC’s callers reach others',
    file: 'compile/inbound.ts',
    find: "{ type: 'Exact', value: `/${service}/${method}` }",
    replace: "{ type: 'PathPrefix', value: `/${service}` }",
  },
  {
    bug: 'inbound routes name the service and not the method',
    file: 'compile/inbound.ts',
    find: 'return { method: { ...rpc } }',
    replace: 'return { method: { service: rpc.service } }',
  },
  {
    bug: 'attempts are written as the number of retries',
    file: 'compile/outbound.ts',
    find: 'String(retry.attempts - 1)',
    replace: 'String(retry.attempts)',
  },
  {
    bug: 'the limit of retries is left to Linkerd’s default',
    file: 'compile/outbound.ts',
    find: "put('retry.linkerd.io/limit', installation.whenMeshRetries(String(retry.attempts - 1)))",
    replace: '',
  },
  {
    bug: 'an RPC that is safe only with a request ID is retried by proxies',
    file: 'compile/outbound.ts',
    find: "if (retry?.safeBy === 'idempotency_level') {",
    replace: 'if (retry) {',
  },
  {
    bug: 'statuses are written as gRPC writes them and not as Linkerd reads them',
    file: 'compile/outbound.ts',
    find: "code.toLowerCase().replaceAll('_', '-')",
    replace: 'code',
  },
  {
    bug: 'streams get the timeout of whole requests',
    file: 'compile/outbound.ts',
    find: "put('timeout.linkerd.io/idle',",
    replace: "put('timeout.linkerd.io/request',",
  },
  {
    bug: 'calls get a timeout for the response instead of the request',
    file: 'compile/outbound.ts',
    find: "put('timeout.linkerd.io/request',",
    replace: "put('timeout.linkerd.io/response',",
  },
  {
    bug: 'times are written with fractions',
    file: 'compile/outbound.ts',
    find: 'formatDuration(timeoutMs)',
    replace: '`${timeoutMs / 1_000}s`',
  },
  {
    bug: 'routes are attached to a Service of another name',
    file: 'compile/outbound.ts',
    find: "kind: 'Service', name: installation.serviceName(component), port: ports.grpc }",
    replace: "kind: 'Service', name: installation.objectName(component, 'grpc'), port: ports.grpc }",
  },
  {
    bug: 'two methods of one name get one object',
    file: 'compile/names.ts',
    find: 'isAlone ? kebab(method) : `${kebab(service)}-${kebab(method)}`',
    replace: 'kebab(method)',
  },
  {
    bug: 'long names are cut without a hash',
    file: 'compile/names.ts',
    find: "return `${text.slice(0, lengthMax - 7).replace(/-+$/, '')}-${hash}`",
    replace: 'return text.slice(0, 10) + (hash && "")',
  },
  {
    bug: 'in a mesh the network opens the app’s port instead of the proxy’s',
    file: 'compile/network-policy.ts',
    find: 'installation.whenMeshed(rule(linkerdPorts.inbound))',
    replace: 'installation.whenMeshed(rule(ports.grpc))',
  },
  {
    bug: 'callers and callees are swapped in the network',
    file: 'compile/network-policy.ts',
    find: 'edges.filter(({ to }) => to === component).map(({ from }) => from)',
    replace: 'edges.filter(({ from }) => from === component).map(({ to }) => to)',
  },
  {
    bug: 'a component that nobody calls is open to all',
    file: 'compile/network-policy.ts',
    find: 'if (others.length === 0) return []',
    replace: 'if (others.length === 0) return [{}]',
  },
  {
    bug: 'rates are forgotten',
    file: 'compile/compile.ts',
    find: 'if (one.port.meshRate) {',
    replace: 'if (!one.port) {',
  },
  {
    bug: 'a rate limits the Server of another component',
    file: 'compile/rate-limit.ts',
    find: 'targetRef: serverRef(component, installation)',
    replace: "targetRef: serverRef('gateway', installation)",
  },
  {
    bug: 'an RPC without callers compiles',
    file: 'policy/read-method.ts',
    find: 'if (callers.length === 0) report(',
    replace: 'if (callers.length < 0) report(',
  },
  {
    bug: 'components are numbered from zero, so each caller is the next one',
    file: 'policy/read-method.ts',
    find: 'declared.callers.map((number) => components[number - 1])',
    replace: 'declared.callers.map((number) => components[number])',
  },
  {
    bug: 'roles are numbered from zero',
    file: 'policy/read-method.ts',
    find: 'declared.roles.map((number) => roles[number - 1])',
    replace: 'declared.roles.map((number) => roles[number])',
  },
  {
    bug: 'a method without side effects does not count as idempotent',
    file: 'policy/read-method.ts',
    find: '[Idempotency.IDEMPOTENT, Idempotency.NO_SIDE_EFFECTS]',
    replace: '[Idempotency.IDEMPOTENT]',
  },
  {
    bug: 'an RPC that may not be repeated inherits retries',
    file: 'policy/read-method.ts',
    find: 'const isSafe = !isStream && idempotent',
    replace: 'const isSafe = !isStream',
  },
  {
    bug: 'a stream inherits retries',
    file: 'policy/read-method.ts',
    find: 'const isSafe = !isStream && idempotent',
    replace: 'const isSafe = idempotent',
  },
  {
    bug: 'a request ID counts as idempotency, so proxies would retry',
    file: 'policy/read-method.ts',
    find: "safeBy: 'request_id'",
    replace: "safeBy: 'idempotency_level'",
  },
  {
    bug: 'a stream takes a timeout for whole requests',
    file: 'policy/read-method.ts',
    find: "if (declared.timeout !== '')",
    replace: 'if (false)',
  },
  {
    bug: 'fractions of a second are read',
    file: 'policy/duration.ts',
    find: 'const match = /^(\\d{1,9})(ms|s|m|h)$/',
    replace: 'const match = /^(\\d{1,9}(?:\\.\\d+)?)(ms|s|m|h)$/',
  },
  {
    bug: 'minutes are read as milliseconds',
    file: 'policy/duration.ts',
    find: 'm: 60_000',
    replace: 'm: 1',
  },
  {
    bug: 'attempts have no bound',
    file: 'policy/read-fields.ts',
    find: 'attempts > attemptsMax',
    replace: 'attempts > 1_000',
  },
  {
    bug: 'one caller may have more than all',
    file: 'policy/read-fields.ts',
    find: 'if (perIdentity > requestsPerSecond) {',
    replace: 'if (false) {',
  },
  {
    bug: 'the service’s objective wins over the RPC’s',
    file: 'policy/read-fields.ts',
    find: 'own?.latency || service?.latency',
    replace: 'service?.latency || own?.latency',
  },
  {
    bug: 'a second rate of one port is overlooked',
    file: 'policy/read-component.ts',
    find: 'if (second) {',
    replace: 'if (first && !second) {',
  },
  {
    bug: 'the breaker that is declared is ignored',
    file: 'policy/read-component.ts',
    find: 'broken && readBreaker(',
    replace: 'undefined && readBreaker(',
  },
]
