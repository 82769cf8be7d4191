//go:build cgo

#include "run.h"

#include <stdlib.h>
#include <string.h>
#include <tensorflow/c/tf_tstring.h>

// What TensorFlow aligns tensors to (EIGEN_MAX_ALIGN_BYTES).
enum { ALIGNMENT = 64 };

// Buffers that are larger go back to the system when their call has ended.
static const size_t KEEP = (size_t)64 << 20;

cambium_plan *cambium_new_plan(TF_Session *session, int inputs, int outputs, int targets) {
	cambium_plan *p = calloc(1, sizeof *p);
	p->session = session;
	p->n_inputs = inputs, p->n_outputs = outputs, p->n_targets = targets;
	p->inputs = calloc(inputs + 1, sizeof *p->inputs);
	p->outputs = calloc(outputs + 1, sizeof *p->outputs);
	p->targets = calloc(targets + 1, sizeof *p->targets);
	return p;
}

cambium_plan *cambium_copy_plan(const cambium_plan *p, TF_Session *session) {
	cambium_plan *r = cambium_new_plan(session, p->n_inputs, p->n_outputs, p->n_targets);
	memcpy(r->inputs, p->inputs, p->n_inputs * sizeof *p->inputs);
	memcpy(r->outputs, p->outputs, p->n_outputs * sizeof *p->outputs);
	memcpy(r->targets, p->targets, p->n_targets * sizeof *p->targets);
	return r;
}

void cambium_delete_plan(cambium_plan *p) {
	free(p->inputs);
	free(p->outputs);
	free(p->targets);
	free(p);
}

cambium_call *cambium_new_call(void) {
	cambium_call *c = calloc(1, sizeof *c);
	c->status = TF_NewStatus();
	return c;
}

static void free_buffer(cambium_buffer *b) {
	free(b->data);
	free(b);
}

// give_up leaves a buffer to the tensor that has borrowed it. It returns 0 if there is no such tensor any more.
static int give_up(cambium_buffer *b) {
	int32_t lent = CAMBIUM_LENT;
	return __atomic_compare_exchange_n(&b->state, &lent, CAMBIUM_ORPHAN, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

// give_back is the deallocator of input tensors.
static void give_back(void *data, size_t size, void *arg) {
	(void)size;
	cambium_buffer *b = arg;
	TF_TString *s = data;
	for (size_t i = 0; i < b->strings; i++) TF_StringDealloc(&s[i]);
	b->strings = 0;
	if (__atomic_exchange_n(&b->state, CAMBIUM_FREE, __ATOMIC_ACQ_REL) == CAMBIUM_ORPHAN) free_buffer(b);
}

void cambium_delete_call(cambium_call *c) {
	for (int i = 0; i < c->n_inputs; i++) {
		if (c->buffers[i] && !give_up(c->buffers[i])) free_buffer(c->buffers[i]);
	}
	free(c->buffers);
	free(c->inputs);
	free(c->outputs);
	free(c->input_tensors);
	free(c->output_tensors);
	TF_DeleteStatus(c->status);
	free(c);
}

void cambium_grow(cambium_call *c, int inputs, int outputs) {
	if (inputs > c->n_inputs) {
		c->buffers = realloc(c->buffers, inputs * sizeof *c->buffers);
		memset(c->buffers + c->n_inputs, 0, (inputs - c->n_inputs) * sizeof *c->buffers);
		c->inputs = realloc(c->inputs, inputs * sizeof *c->inputs);
		c->input_tensors = realloc(c->input_tensors, inputs * sizeof *c->input_tensors);
		c->n_inputs = inputs;
	}
	if (outputs > c->n_outputs) {
		c->outputs = realloc(c->outputs, outputs * sizeof *c->outputs);
		c->output_tensors = realloc(c->output_tensors, outputs * sizeof *c->output_tensors);
		c->n_outputs = outputs;
	}
}

int cambium_reserve(cambium_call *c, int i, size_t bytes) {
	cambium_buffer *b = c->buffers[i];
	size_t capacity = (bytes + ALIGNMENT) / ALIGNMENT * ALIGNMENT;
	if (b && give_up(b)) b = NULL;
	if (b && b->capacity >= bytes) return 1;
	if (!b) b = calloc(1, sizeof *b);
	c->buffers[i] = b;
	if (!b) return 0;
	free(b->data);
	b->data = aligned_alloc(ALIGNMENT, capacity);
	b->capacity = b->data ? capacity : 0;
	return b->data != NULL;
}

void cambium_put_strings(cambium_buffer *b, size_t n, const char *bytes, const uint64_t *lengths) {
	TF_TString *s = b->data;
	for (size_t i = 0; i < n; i++) {
		TF_StringInit(&s[i]);
		TF_StringCopy(&s[i], bytes, lengths[i]);
		bytes += lengths[i];
	}
	b->strings = n;
}

static void describe(cambium_value *v, const TF_Tensor *t) {
	v->dtype = TF_TensorType(t);
	v->rank = TF_NumDims(t);
	v->bytes = TF_TensorByteSize(t);
	v->data = TF_TensorData(t);
	for (int i = 0; i < v->rank && i < CAMBIUM_MAX_RANK; i++) v->dims[i] = TF_Dim(t, i);
}

int cambium_run(cambium_call *c, const cambium_plan *p) {
	for (int i = 0; i < p->n_inputs; i++) {
		cambium_value *v = &c->inputs[i];
		cambium_buffer *b = c->buffers[i];
		__atomic_store_n(&b->state, CAMBIUM_LENT, __ATOMIC_RELEASE);
		c->input_tensors[i] = TF_NewTensor(v->dtype, v->dims, v->rank, b->data, v->bytes, give_back, b);
	}
	for (int i = 0; i < p->n_outputs; i++) c->output_tensors[i] = NULL;
	TF_Buffer options = {c->options, c->options_size, NULL};
	TF_SessionRun(p->session, c->options_size ? &options : NULL, p->inputs, c->input_tensors, p->n_inputs, p->outputs,
	              c->output_tensors, p->n_outputs, p->targets, p->n_targets, NULL, c->status);
	for (int i = 0; i < p->n_inputs; i++) {
		cambium_buffer *b = c->buffers[i];
		TF_DeleteTensor(c->input_tensors[i]);
		if (b->capacity > KEEP) {
			c->buffers[i] = NULL;
			if (!give_up(b)) free_buffer(b);
		}
	}
	int code = TF_GetCode(c->status);
	if (code != TF_OK) {
		cambium_free_outputs(c, p);
		return code;
	}
	for (int i = 0; i < p->n_outputs; i++) describe(&c->outputs[i], c->output_tensors[i]);
	return TF_OK;
}

void cambium_free_outputs(cambium_call *c, const cambium_plan *p) {
	for (int i = 0; i < p->n_outputs; i++) {
		if (c->output_tensors[i]) TF_DeleteTensor(c->output_tensors[i]);
		c->output_tensors[i] = NULL;
	}
}

uint64_t cambium_string_lengths(const void *data, size_t n, uint64_t *lengths) {
	const TF_TString *s = data;
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++) sum += lengths[i] = TF_StringGetSize(&s[i]);
	return sum;
}

void cambium_get_strings(const void *data, size_t n, char *bytes) {
	const TF_TString *s = data;
	for (size_t i = 0; i < n; i++) {
		size_t size = TF_StringGetSize(&s[i]);
		memcpy(bytes, TF_StringGetDataPointer(&s[i]), size);
		bytes += size;
	}
}

// From tensorflow/c/c_api_experimental.h, whose other declarations need more headers.
int TF_OpIsStateful(const char *op_type, TF_Status *status);

int cambium_op_kind(const char *name) {
	TF_Status *status = TF_NewStatus();
	int kind = TF_OpIsStateful(name, status) ? 1 : 0;
	if (TF_GetCode(status) != TF_OK) kind = -1;
	TF_DeleteStatus(status);
	return kind;
}

// The threads of one kernel are the session's own then, not those of the process, whose number the first session decides.
// TensorFlow reads the variable whenever it makes a session.
__attribute__((constructor)) static void own_threads(void) { setenv("TF_OVERRIDE_GLOBAL_THREADPOOL", "1", 0); }
