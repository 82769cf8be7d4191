//go:build cgo && !linux

#include <stdio.h>
#include <stdlib.h>

#include "run.h"

// TensorFlow reads the variable when it first logs.
__attribute__((constructor)) static void silence(void) { setenv("TF_CPP_MIN_LOG_LEVEL", "3", 0); }

void cambium_set_log_level(int level) { (void)level; }
