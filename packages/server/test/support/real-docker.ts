import { request } from 'node:http'
import { text } from 'node:stream/consumers'

/** An engine of this machine's, if there is one with an image that sandboxes can be made of; else why not, which is said. */
export type RealDocker = { socket: string; image: string; whyNot: string | undefined }

/**
 * The engine at `SANDBOX_DOCKER_SOCKET` with the image `SANDBOX_DOCKER_IMAGE`; Docker's own socket and the driver's own image where nothing is said.
 * Podman's service will do (`podman system service`).
 */
export async function findDocker(): Promise<RealDocker> {
  const { SANDBOX_DOCKER_SOCKET: socket = '/var/run/docker.sock', SANDBOX_DOCKER_IMAGE: image = 'node:24-bookworm' } = process.env
  const whyNot = await askFor(socket, image).then(
    ({ status, body }) => (status === 200 ? undefined : `the engine at ${socket} has no image ${image} (${body.slice(0, 200).trim()})`),
    (error: unknown) => `no engine answers at ${socket} (${error instanceof Error ? error.message : String(error)})`,
  )
  if (whyNot !== undefined) process.stderr.write(`SKIPPED: the sandbox docker on a real engine: ${whyNot}.\n`)
  return { socket, image, whyNot }
}

function askFor(socketPath: string, image: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: `/v1.44/images/${encodeURIComponent(image)}/json`, headers: { host: 'docker' }, timeout: 10_000 })
    asked.on('timeout', () => asked.destroy(new Error('no answer within 10 s')))
    asked.on('error', reject)
    asked.on('response', (response) => void text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject))
    asked.end()
  })
}
