/** Whether the process whose admin server listens on this port of 127.0.0.1 says that it is ready. */
export async function isReady(adminPort: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${adminPort}/readyz`, { signal: AbortSignal.timeout(1_000) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    // Not listening, or not answering.
    return false
  }
}
