#include "atoll_tflm.h"

#include "tensorflow/lite/schema/schema_generated.h"
#include "tensorflow/lite/schema/schema_utils.h"

namespace atoll_tflm {

uint32_t OperatorTicks::BeginEvent(const char *tag) {
  (void)tag;
  if (count_ == kMost) return kMost;
  spent_[count_] = ticks_(context_);
  return count_++;
}

void OperatorTicks::EndEvent(uint32_t handle) {
  if (handle < kMost) spent_[handle] = ticks_(context_) - spent_[handle];
}

TflmRuntime::TflmRuntime(const tflite::MicroOpResolver &resolver, const uint8_t *operators, uint32_t operator_count,
                         uint8_t *arena, size_t arena_bytes, const char *profile, uint32_t (*ticks)(void *context),
                         void *ticks_context)
    : resolver_(resolver), arena_(arena), arena_bytes_(arena_bytes), ticks_(ticks, ticks_context) {
  port_.context = this;
  port_.runtime = "TensorFlow Lite Micro";
  port_.version = "1";
  port_.profile = profile;
  port_.operators = operators;
  port_.operator_count = operator_count;
  port_.arena_bytes = static_cast<uint32_t>(arena_bytes);
  port_.load = [](void *context, const uint8_t *model, uint32_t bytes, const char **detail) {
    return static_cast<TflmRuntime *>(context)->Load(model, bytes, detail);
  };
  port_.input_count = [](void *context) {
    return static_cast<uint32_t>(static_cast<TflmRuntime *>(context)->interpreter_->inputs_size());
  };
  port_.output_count = [](void *context) {
    return static_cast<uint32_t>(static_cast<TflmRuntime *>(context)->interpreter_->outputs_size());
  };
  port_.input = [](void *context, uint32_t index) {
    return TensorOf(static_cast<TflmRuntime *>(context)->interpreter_->input(index));
  };
  port_.output = [](void *context, uint32_t index) {
    return TensorOf(static_cast<TflmRuntime *>(context)->interpreter_->output(index));
  };
  port_.invoke = [](void *context) { return static_cast<TflmRuntime *>(context)->Invoke(); };
  port_.reset = [](void *context) { return static_cast<TflmRuntime *>(context)->interpreter_->Reset() == kTfLiteOk; };
  port_.profile_at = [](void *context, uint32_t index, uint32_t *code, uint32_t *ticks) {
    const TflmRuntime *runtime = static_cast<TflmRuntime *>(context);
    const auto *operators = runtime->model_->subgraphs()->Get(0)->operators();
    if (index >= runtime->ticks_.count() || index >= operators->size()) return false;
    *code = static_cast<uint32_t>(
        tflite::GetBuiltinCode(runtime->model_->operator_codes()->Get(operators->Get(index)->opcode_index())));
    *ticks = runtime->ticks_.at(index);
    return true;
  };
  port_.arena_used = [](void *context) {
    return static_cast<uint32_t>(static_cast<TflmRuntime *>(context)->interpreter_->arena_used_bytes());
  };
}

atoll_load_result TflmRuntime::Load(const uint8_t *model, uint32_t bytes, const char **detail) {
  if (interpreter_ != nullptr) interpreter_->~MicroInterpreter();
  interpreter_ = nullptr;
  // TFLM trusts its models; one that was received over a wire is verified first.
  flatbuffers::Verifier verifier(model, bytes);
  if (!tflite::VerifyModelBuffer(verifier)) {
    *detail = "the model is not a whole flatbuffer";
    return ATOLL_MODEL_INVALID;
  }
  model_ = tflite::GetModel(model);
  if (model_->version() != TFLITE_SCHEMA_VERSION || model_->subgraphs() == nullptr ||
      model_->subgraphs()->size() == 0 || model_->operator_codes() == nullptr) {
    *detail = "the model is of another version of the schema, or has no graph";
    return ATOLL_MODEL_INVALID;
  }
  for (const tflite::OperatorCode *code : *model_->operator_codes()) {
    const tflite::BuiltinOperator builtin = tflite::GetBuiltinCode(code);
    const bool known = builtin == tflite::BuiltinOperator_CUSTOM
                           ? code->custom_code() != nullptr && resolver_.FindOp(code->custom_code()->c_str()) != nullptr
                           : resolver_.FindOp(builtin) != nullptr;
    if (!known) {
      *detail = "an operator of the model is not one of the resolver's";
      return ATOLL_OPERATOR_MISSING;
    }
  }
  interpreter_ = new (storage_) tflite::MicroInterpreter(model_, resolver_, arena_, arena_bytes_, nullptr, &ticks_);
  if (interpreter_->AllocateTensors() == kTfLiteOk) return ATOLL_LOADED;
  *detail = "TFLM cannot allocate the model's tensors: most often the arena is too small";
  return ATOLL_ARENA_TOO_SMALL;
}

bool TflmRuntime::Invoke() {
  ticks_.Clear();
  return interpreter_->Invoke() == kTfLiteOk;
}

atoll_tensor TflmRuntime::TensorOf(TfLiteTensor *tensor) {
  return {static_cast<uint8_t>(tensor->type), static_cast<uint32_t>(tensor->bytes),
          static_cast<uint8_t *>(tensor->data.data)};
}

}  // namespace atoll_tflm
