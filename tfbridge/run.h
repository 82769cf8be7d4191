#ifndef CAMBIUM_RUN_H
#define CAMBIUM_RUN_H

#include <stddef.h>
#include <stdint.h>
#include <tensorflow/c/c_api.h>

// The largest rank that TensorFlow's kernels accept (tensorflow::TensorShape::MaxDimensions()).
#define CAMBIUM_MAX_RANK 254

// The states of a buffer: nobody uses it; a TF_Tensor does; a TF_Tensor does and the call has given it up.
enum { CAMBIUM_FREE, CAMBIUM_LENT, CAMBIUM_ORPHAN };

// A cambium_buffer is memory that one TF_Tensor at a time borrows. TensorFlow may keep the tensor beyond the run (a variable
// that was assigned an input does), so that only TensorFlow's deallocator gives the memory back.
typedef struct cambium_buffer {
	void *data; // aligned as TensorFlow wants it, which otherwise copies
	size_t capacity;
	size_t strings; // how many TF_TStrings lie in data
	int32_t state;  // atomic
} cambium_buffer;

// A cambium_value describes an input or an output.
typedef struct cambium_value {
	int32_t dtype;
	int32_t rank;
	size_t bytes;
	void *data; // of an output; an input's is in its buffer
	int64_t dims[CAMBIUM_MAX_RANK];
} cambium_value;

// A cambium_plan says what to run. It is made once and shared by all calls.
typedef struct cambium_plan {
	TF_Session *session;
	int n_inputs, n_outputs, n_targets;
	TF_Output *inputs, *outputs;
	const TF_Operation **targets;
} cambium_plan;

// A cambium_call holds what one run needs; one run at a time uses it.
typedef struct cambium_call {
	TF_Status *status;
	int n_inputs, n_outputs; // how many the arrays have room for
	cambium_buffer **buffers;
	cambium_value *inputs, *outputs;
	TF_Tensor **input_tensors, **output_tensors;
	char options[32]; // a serialized RunOptions
	size_t options_size;
} cambium_call;

cambium_plan *cambium_new_plan(TF_Session *session, int inputs, int outputs, int targets);
cambium_plan *cambium_copy_plan(const cambium_plan *p, TF_Session *session);
void cambium_delete_plan(cambium_plan *p);

cambium_call *cambium_new_call(void);
void cambium_delete_call(cambium_call *c);

// cambium_grow makes room for so many inputs and outputs.
void cambium_grow(cambium_call *c, int inputs, int outputs);

// cambium_reserve makes input i's buffer free and at least so large. It returns 0 if there is no memory.
int cambium_reserve(cambium_call *c, int i, size_t bytes);

// cambium_put_strings fills a buffer with n strings that lie in bytes one after the other.
void cambium_put_strings(cambium_buffer *b, size_t n, const char *bytes, const uint64_t *lengths);

// cambium_run feeds the inputs, runs, and describes the outputs, which cambium_free_outputs must free. It returns a TF_Code;
// if that is not TF_OK there are no outputs.
int cambium_run(cambium_call *c, const cambium_plan *p);
void cambium_free_outputs(cambium_call *c, const cambium_plan *p);

// cambium_string_lengths writes the lengths of n strings of an output and returns their sum; cambium_get_strings writes their
// bytes one after the other.
uint64_t cambium_string_lengths(const void *data, size_t n, uint64_t *lengths);
void cambium_get_strings(const void *data, size_t n, char *bytes);

// cambium_op_kind returns 1 if the op of this name is stateful, 0 if it is not, -1 if the library has no such op registered.
int cambium_op_kind(const char *name);

// cambium_set_log_level says from which severity on TensorFlow logs: 0 info, 1 warnings, 2 errors, 3 fatal errors only.
void cambium_set_log_level(int level);

#endif
