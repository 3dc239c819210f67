// The JSON documents that the verbs print with --json. scripts/generate-schemas.js makes schemas/*.json of these types;
// tests check real output against them.

import type { CheckDocument, CompileDocument, PredictionDocument, TargetsDocument } from './checks.js';
import type {
  BrokerDocument,
  DevicesDocument,
  DoctorDocument,
  FlashDocument,
  PushDocument,
  ServeDocument,
  SimulateDeviceDocument,
} from './devices.js';
import type { ErrorDocument } from './error.js';
import type {
  CompareDocument,
  DeployDocument,
  DeviceMeasurement,
  EvaluateDocument,
  RunDocument,
} from './evaluations.js';
import type {
  AdviseDocument,
  BundleDocument,
  ConvertDocument,
  ExportDocument,
  ExportFacts,
  InspectDocument,
  KeysDocument,
  MemoryPlanDocument,
  OptimizeDocument,
  QuantizeDocument,
} from './models.js';
import type { RolloutDocument } from './rollouts.js';

export type {
  ConvertDocument,
  DeviceMeasurement,
  ErrorDocument,
  ExportFacts,
  MemoryPlanDocument,
  PredictionDocument,
  QuantizeDocument,
};

/** The document of each verb; `schema` is added when it is printed: `atoll/VERB/1`. */
export interface VerbDocuments {
  readonly inspect: InspectDocument;
  readonly convert: ConvertDocument;
  readonly advise: AdviseDocument;
  readonly optimize: OptimizeDocument;
  readonly quantize: QuantizeDocument;
  readonly compare: CompareDocument;
  readonly check: CheckDocument;
  readonly run: RunDocument;
  readonly evaluate: EvaluateDocument;
  readonly targets: TargetsDocument;
  readonly compile: CompileDocument;
  readonly export: ExportDocument;
  readonly bundle: BundleDocument;
  readonly keys: KeysDocument;
  readonly push: PushDocument;
  readonly flash: FlashDocument;
  readonly deploy: DeployDocument;
  readonly devices: DevicesDocument;
  readonly serve: ServeDocument;
  readonly 'simulate-device': SimulateDeviceDocument;
  readonly broker: BrokerDocument;
  readonly rollout: RolloutDocument;
  readonly doctor: DoctorDocument;
}

/** All documents: those of the verbs, and that of a failure. */
export interface Documents extends VerbDocuments {
  readonly error: ErrorDocument;
}
