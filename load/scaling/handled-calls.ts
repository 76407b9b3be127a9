/** Tasks created, or HTTP requests answered, that the metrics of a tasks instance or of a gateway have counted so far. */
export function handledCalls(metrics: string): number {
  const counts = metrics.matchAll(
    /^(?:grpc_server_handled_total\{[^}]*CreateTask[^}]*\}|http_requests_total\{[^}]*\}) (\d+)/gm,
  )
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0)
}
