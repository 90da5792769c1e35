// Whether the server on this machine is well. One that waits for another to end is, too: it does not
// listen yet, and must not be started again for that.
const port = process.env['PORT'] ?? '8080';
const answer = await fetch(`http://127.0.0.1:${port}/health`).catch(() => null);
process.exit(answer === null || answer.ok ? 0 : 1);
