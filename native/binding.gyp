{
  "targets": [
    {
      "target_name": "razorfs",
      "sources": ["addon.c", "fuse_device.c", "readiness.c", "file_io.c", "background_io.c", "splice.c", "crc32c.c", "affinity.c", "clock.c"],
      "defines": ["NAPI_VERSION=8", "_GNU_SOURCE"],
      "cflags_c": ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"]
    }
  ]
}
