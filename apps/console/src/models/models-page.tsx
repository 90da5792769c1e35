import { Button, Paper, Table } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { queries } from '../api/queries';
import type { Inspection, Model } from '../api/types';
import { Ago } from '../parts/ago';
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
              <ModelTable models={all} />
            )
          }
        </Answer>
      </Paper>
      <PushModel opened={pushing} close={close} />
    </Page>
  );
}

function ModelTable({ models }: { models: readonly Model[] }) {
  return (
    <div className="scroller">
      <Table>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Name</Table.Th>
            <Table.Th className="number">Size</Table.Th>
            <Table.Th className="number">Parameters</Table.Th>
            <Table.Th className="number">MACs</Table.Th>
            <Table.Th className="number">Peak memory</Table.Th>
            <Table.Th>Judged by</Table.Th>
            <Table.Th>Pushed</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {models.map((model) => {
            const inspection = model.inspection as Inspection;
            return (
              <Table.Tr key={model.id}>
                <Table.Td>
                  <Link to={`/models/${model.id}`}>{model.name}</Link>
                </Table.Td>
                <Table.Td className="number">{bytes(model.bytes)}</Table.Td>
                <Table.Td className="number">{short(inspection.params)}</Table.Td>
                <Table.Td className="number">{short(inspection.macs)}</Table.Td>
                <Table.Td className="number">{bytes(inspection.peakRamBytes)}</Table.Td>
                <Table.Td>{model.evaluationSha256 ? 'labelled data' : 'calibration data'}</Table.Td>
                <Table.Td>
                  <Ago at={model.createdAt} />
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </div>
  );
}
