import { FileInput, Text, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { api, errorOf, taken } from '../api/client';
import type { Model } from '../api/types';
import { Dialog } from '../parts/dialog';
import { Form } from '../parts/form';

const FILES = [
  ['model', 'Model', 'The trained ONNX file', '.onnx', true],
  ['calibration', 'Calibration data', 'An .npz with x: some hundred samples', '.npz', true],
  [
    'evaluation',
    'Evaluation data',
    'An .npz with x and y: what accuracy is judged by',
    '.npz',
    false,
  ],
  ['card', 'Input card', 'A JSON file that says how data becomes input', '.json', false],
] as const;

type Files = Partial<Record<(typeof FILES)[number][0], File | null>>;

/** Uploads a model and has its candidates made. */
export function PushModel({ opened, close }: { opened: boolean; close: () => void }) {
  const [name, setName] = useState('');
  const [files, setFiles] = useState<Files>({});
  const navigate = useNavigate();
  const client = useQueryClient();
  const push = useMutation({
    mutationFn: async (): Promise<Model> => {
      const form = new FormData();
      form.set('name', name.trim());
      for (const [key] of FILES) {
        const file = files[key];
        if (file) form.set(key, file);
      }
      const model = await upload(form);
      await taken(
        api.POST('/api/v1/models/{id}/candidates', {
          params: { path: { id: model.id } },
          body: {},
        }),
      );
      return model;
    },
    onSuccess: async ({ id }) => {
      await client.invalidateQueries({ queryKey: ['models'] });
      close();
      await navigate(`/models/${id}`);
    },
  });
  const ready = name.trim() !== '' && files.model && files.calibration;
  return (
    <Dialog opened={opened} close={close} title="Push a model" size="lg">
      <Form
        button="Push"
        send={() => push.mutate()}
        sending={push.isPending}
        error={push.error}
        disabled={!ready}
        beside={
          <Text size="sm" c="dimmed" mr="auto">
            Its candidates are made at once; this takes minutes.
          </Text>
        }
      >
        <TextInput
          label="Name"
          required
          data-autofocus
          maxLength={128}
          value={name}
          onChange={({ currentTarget }) => setName(currentTarget.value)}
        />
        {FILES.map(([key, label, description, accept, required]) => (
          <FileInput
            key={key}
            {...{ label, description, accept, required }}
            placeholder="Choose a file"
            clearable
            clearButtonProps={{ 'aria-label': `Take ${label.toLowerCase()} away` }}
            value={files[key] ?? null}
            onChange={(file) => setFiles({ ...files, [key]: file })}
          />
        ))}
      </Form>
    </Dialog>
  );
}

/** Sends the files as they are; the typed client knows JSON alone. @throws ApiError */
async function upload(form: FormData): Promise<Model> {
  const response = await fetch('/api/v1/models', {
    method: 'POST',
    headers: { 'X-Requested-With': 'espalier' },
    body: form,
  });
  const body = (await response.json().catch(() => null)) as unknown;
  if (!response.ok) throw errorOf(response.status, body);
  return body as Model;
}
