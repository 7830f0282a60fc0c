"""What a maintainer runs: generated files, graph record, benchmarks, licences."""
