/** What an entry's action is called; one that has no words stands as it is. */
const WORDS: Readonly<Record<string, string>> = {
  'POST /api/v1/sessions': 'signed in',
  'DELETE /api/v1/sessions/current': 'signed out',
  'POST /api/v1/claim-tokens': 'made a claim token',
  'POST /api/v1/enrolments': 'let a device in',
  'PATCH /api/v1/devices/:id': 'changed a device',
  'POST /api/v1/devices/:id/measure': 'asked a device to measure itself',
  'DELETE /api/v1/devices/:id/quarantine': 'ended a quarantine',
  'PUT /api/v1/budgets': 'set a budget',
  'POST /api/v1/models': 'pushed a model',
  'POST /api/v1/models/:id/candidates': 'had candidates made',
  'DELETE /api/v1/jobs/:id': 'cancelled a job',
  'POST /api/v1/plans': 'made a plan',
  'POST /api/v1/releases': 'made a release',
  'POST /api/v1/releases/:id/signatures': 'signed a release',
  'POST /api/v1/rollouts': 'wrote a rollout',
  'POST /api/v1/rollouts/:id/start': 'started a rollout',
  'POST /api/v1/rollouts/:id/approve': 'approved a stage',
  'POST /api/v1/rollouts/:id/pause': 'paused a rollout',
  'POST /api/v1/rollouts/:id/resume': 'resumed a rollout',
  'POST /api/v1/rollouts/:id/abort': 'aborted a rollout',
  'POST /api/v1/alert-rules': 'made an alert rule',
  'DELETE /api/v1/alert-rules/:id': 'removed an alert rule',
  'POST /api/v1/alerts/:id/acknowledge': 'acknowledged an alert',
};

export const actionWords = (action: string): string => WORDS[action] ?? action;
