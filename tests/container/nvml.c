/* NVIDIA's management library for machines without a card, as far as this project asks: two T4, the second of which
   does not tell its power. Device handles are numbers. Built as libnvidia-ml.so.1 by test_gpu_monitor.py. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15 };
typedef struct { unsigned int gpu, memory; } Utilization;
typedef struct { unsigned long long total, free, used; } Memory;

static unsigned int asked;

static int is(const char *what) {
    const char *fault = getenv("NVML_FAULT");
    return fault && fault[0] == what[0];
}

int nvmlInitWithFlags(unsigned int flags) { return is("driver not loaded") ? DRIVER_NOT_LOADED : SUCCESS; }
int nvmlShutdown(void) { return SUCCESS; }
const char *nvmlErrorString(int code) { return code == GPU_IS_LOST ? "GPU is lost" : "another error"; }
int nvmlDeviceGetCount_v2(unsigned int *count) { *count = 2; return SUCCESS; }

int nvmlDeviceGetHandleByIndex_v2(unsigned int index, void **device) {
    *device = (void *)(size_t)(index + 1);
    return SUCCESS;
}

int nvmlDeviceGetName(void *device, char *name, unsigned int length) {
    snprintf(name, length, "Tesla T4");
    return SUCCESS;
}

int nvmlDeviceGetUUID(void *device, char *uuid, unsigned int length) {
    snprintf(uuid, length, "GPU-0000000%u", (unsigned int)(size_t)device);
    return SUCCESS;
}

int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
    *major = 7;
    *minor = 5;
    return SUCCESS;
}

int nvmlDeviceGetUtilizationRates(void *device, Utilization *rates) {
    if (is("lost")) return GPU_IS_LOST;
    rates->gpu = device == (void *)1 ? (asked++ % 2 ? 100 : 50) : 0;
    rates->memory = 7;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(void *device, Memory *memory) {
    memory->total = 15360ULL << 20;
    memory->used = 1024ULL << 20;
    memory->free = memory->total - memory->used;
    return SUCCESS;
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned int *celsius) { *celsius = 61; return SUCCESS; }

int nvmlDeviceGetPowerUsage(void *device, unsigned int *milliwatts) {
    *milliwatts = 65200;
    return device == (void *)2 ? NOT_SUPPORTED : SUCCESS;
}
