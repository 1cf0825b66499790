{
  "targets": [
    {
      "target_name": "send_many",
      "sources": ["send-many.c", "ring.c"],
      "include_dirs": ["<!(node -p \"require('node-api-headers').include_dir\" 2>/dev/null || true)"],
      "cflags": ["-std=c99", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "xcode_settings": { "OTHER_CFLAGS": ["-std=c99", "-O2", "-Wall", "-fvisibility=hidden"] }
    }
  ]
}
