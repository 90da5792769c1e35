import { Button, Paper } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { queries } from '../api/queries';
import type { Inspection, Model } from '../api/types';
import { Ago } from '../parts/ago';
import { DataTable, type Column } from '../parts/data-table';
import { bytes, short } from '../parts/format';
import { Icon } from '../parts/icons';
import { Page } from '../parts/page';
import { Answer, Empty } from '../parts/states';
import { PushModel } from './push-model';

/** The trained models. */
export default function ModelsPage() {
  const models = useQuery(queries.models());
  const [pushing, { open, close }] = useDisclosure(false);
  const push = (
    <Button leftSection={<Icon name="plus" />} onClick={open}>
      Push a model
    </Button>
  );
  return (
    <Page title="Models" actions={models.data?.models.length ? push : null}>
      <Paper withBorder className="part">
        <Answer query={models} what="the models">
          {({ models: all }) =>
            all.length === 0 ? (
              <Empty title="No model was pushed yet" action={push}>
                A model is an ONNX file with some hundred samples to calibrate on, and labelled ones
                to judge by. Its variants are made from it without training.
              </Empty>
            ) : (
              <DataTable label="Models" rows={all} keyOf={({ id }) => id} columns={COLUMNS} />
            )
          }
        </Answer>
      </Paper>
      <PushModel opened={pushing} close={close} />
    </Page>
  );
}

const COLUMNS: readonly Column<Model>[] = [
  { name: 'Name', show: ({ id, name }) => <Link to={`/models/${id}`}>{name}</Link> },
  { name: 'Size', kind: 'number', show: (model) => bytes(model.bytes) },
  { name: 'Parameters', kind: 'number', show: (model) => short(inspected(model).params) },
  { name: 'MACs', kind: 'number', show: (model) => short(inspected(model).macs) },
  { name: 'Peak memory', kind: 'number', show: (model) => bytes(inspected(model).peakRamBytes) },
  {
    name: 'Judged by',
    show: ({ evaluationSha256 }) => (evaluationSha256 ? 'labelled data' : 'calibration data'),
  },
  { name: 'Pushed', show: ({ createdAt }) => <Ago at={createdAt} /> },
];

const inspected = ({ inspection }: Model): Inspection => inspection as Inspection;
