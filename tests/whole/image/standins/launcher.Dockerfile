# Stands in for Google's launcher image with the one program that ours takes from it.
FROM scratch
COPY --chmod=755 launcher.py /opt/google/dataflow/python_template_launcher
