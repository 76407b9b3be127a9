/** Messages inside messages, at most; protobuf's own parsers stop there too. */
export const depthMax = 100

/** As `depthMax` on the way out: more, for an answer holds what a request brought a few messages further in. */
export const decodedDepthMax = depthMax + 50
