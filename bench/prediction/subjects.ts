import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { seededRandom } from '@espalier/dataset';
import { buildModel, type Model, readModel, writeModel } from '@espalier/onnx';
import { sharedFile } from '../shared.js';
import { LARGE_NETWORKS } from './networks.js';
import { int8Form, randomCut } from './variants.js';

const TRAINED = {
  'dscnn-kws': 'models/dscnn-kws.onnx',
  'fcae-toycar': 'models/fcae-toycar.onnx',
  'fashion-mobilenetv2': 'example/fashion-mobilenetv2.onnx',
  'mbv2-cifar10': 'models/mbv2-cifar10.onnx',
  'mobilenetv1-vww': 'models/mobilenetv1-vww.onnx',
  'resnet8-cifar10': 'models/resnet8-cifar10.onnx',
} as const;
/** Cut once more, so that cuts are half of all. */
const CUT_TWICE = new Set(['mbv2-cifar10', 'mobilenetv1-vww', 'resnet8-cifar10']);

/** One model to predict and to measure. */
export interface Subject {
  readonly name: string;
  readonly precision: 'fp32' | 'int8';
  readonly isCut: boolean;
  readonly model: Model;
  readonly path: string;
}

/** Models of the benchmark, written to a folder: trained ones, random cuts of them, and large ones made. */
export async function makeSubjects(
  folder: string,
  seed: number,
): Promise<{ subjects: Subject[]; empty: string; reference: string }> {
  const random = seededRandom(seed);
  const subjects: Subject[] = [];
  const add = async (
    name: string,
    precision: Subject['precision'],
    isCut: boolean,
    model: Model,
  ) => {
    const file = path.join(folder, `${name}.${precision}.onnx`);
    await writeFile(file, writeModel(model));
    subjects.push({ name, precision, isCut, model, path: file });
  };
  for (const [name, file] of Object.entries(TRAINED)) {
    const whole = readModel(await readFile(await sharedFile(file)));
    await add(name, 'fp32', false, whole);
    await add(name, 'int8', false, await int8Form(whole));
    const cut = randomCut(whole, random);
    await add(`${name}.cut`, 'fp32', true, cut);
    await add(`${name}.cut`, 'int8', true, await int8Form(cut));
    if (CUT_TWICE.has(name)) await add(`${name}.cut2`, 'fp32', true, randomCut(whole, random));
  }
  for (const [name, make] of Object.entries(LARGE_NETWORKS)) {
    await add(name, 'fp32', false, make(random));
  }
  const empty = path.join(folder, 'empty.onnx');
  await writeFile(empty, writeModel(emptyModel()));
  return { subjects, empty, reference: subjects[0]?.path ?? empty };
}

const emptyModel = (): Model =>
  buildModel({
    inputs: [{ name: 'x', shape: [1] }],
    outputs: [{ name: 'y', shape: [1] }],
    nodes: [{ op: 'Neg', name: 'n', inputs: ['x'], outputs: ['y'] }],
  });
