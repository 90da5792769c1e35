import { useQuery } from '@tanstack/react-query';
import { lazy, Suspense } from 'react';
import { Route, Routes } from 'react-router';
import { FleetPage } from './fleet/fleet-page';
import { Shell } from './layout/shell';
import { OverviewPage } from './overview/overview-page';
import { Answer, NotFound, Waiting } from './parts/states';
import { sessionQuery } from './session/session';
import { SignInPage } from './session/sign-in-page';

// What draws charts comes when it is wanted, so that the fleet is there at once.
const DevicePage = lazy(() => import('./device/device-page'));
const ModelsPage = lazy(() => import('./models/models-page'));
const ModelPage = lazy(() => import('./models/model-page'));
const PlanPage = lazy(() => import('./plan/plan-page'));
const RolloutsPage = lazy(() => import('./rollouts/rollouts-page'));
const NewRolloutPage = lazy(() => import('./rollouts/new-rollout-page'));
const AlertsPage = lazy(() => import('./alerts/alerts-page'));
const AuditPage = lazy(() => import('./audit/audit-page'));
const RolloutPage = lazy(() => import('./rollouts/rollout-page'));

/** The console, for one who is signed in. */
export function App() {
  const session = useQuery(sessionQuery);
  return (
    <Answer query={session} what="who is signed in">
      {(account) => (account ? <Pages /> : <SignInPage />)}
    </Answer>
  );
}

function Pages() {
  return (
    <Shell>
      <Suspense fallback={<Waiting what="the page" />}>
        <Routes>
          <Route index element={<OverviewPage />} />
          <Route path="fleet" element={<FleetPage />} />
          <Route path="fleet/:id" element={<DevicePage />} />
          <Route path="models" element={<ModelsPage />} />
          <Route path="models/:id" element={<ModelPage />} />
          <Route path="plan" element={<PlanPage />} />
          <Route path="rollouts" element={<RolloutsPage />} />
          <Route path="rollouts/new" element={<NewRolloutPage />} />
          <Route path="rollouts/:id" element={<RolloutPage />} />
          <Route path="alerts" element={<AlertsPage />} />
          <Route path="audit" element={<AuditPage />} />
          <Route path="*" element={<NotFound />} />
        </Routes>
      </Suspense>
    </Shell>
  );
}
