#!/bin/sh
# cuda_compat.sh cu126 FOLDER: NVIDIA's forward-compatibility driver libraries, for hosts whose driver is older than the
# CUDA line needs. container/cuda_compat.py decides at the start whether they are used.
set -eu
case $1 in
cu118) package=cuda-compat-11-8 system=debian11 ;;
cu*) package=cuda-compat-$(echo "$1" | sed 's/^cu\([0-9]*\)\([0-9]\)$/\1-\2/') system=debian12 ;;
esac
if [ -s /run/secrets/ca.crt ]; then export SSL_CERT_FILE=/run/secrets/ca.crt; ca="-o Acquire::https::CAInfo=/run/secrets/ca.crt"; fi
address=$CUDA_REPOSITORY/$system/x86_64
python3 -c 'import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=60).read())' \
  "$address/3bf863cc.pub" >/etc/apt/nvidia.asc
echo "deb [signed-by=/etc/apt/nvidia.asc] $address /" >/etc/apt/sources.list.d/nvidia.list
apt-get ${ca:-} update -qq
cd /tmp
apt-get ${ca:-} download -qq "$package"
dpkg -x "$package"_*.deb /tmp/compat
mkdir -p "$2/usr/local/cuda"
mv /tmp/compat/usr/local/cuda-*/compat "$2/usr/local/cuda/compat"
