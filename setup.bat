@echo off
rem Makes or refreshes venv\ from the hash-checked locks. Safe to repeat; instant when nothing changed.
rem What was asked for once stays. Set PYTHON to name the interpreter. No venv needs to be active.
rem setup.bat --help lists the flags.
setlocal
rem A folder on a server or in WSL (\\wsl$\) can be no current folder: its own message says so.
cd /d "%~dp0" || exit /b 1
set "PYTHONHOME=" & set "PYTHONPATH=" & set "VIRTUAL_ENV="
set "FITS=import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))"

rem --- what is wanted: the flags, and whatever an earlier run was asked for
set "LAUNCH=" & set "NOTEBOOK=" & set "REGISTER=" & set "DEV="
if exist venv\.launch set "LAUNCH=1"
if exist venv\.notebook set "NOTEBOOK=1"
if exist venv\.dev set "DEV=1"
:options
if "%~1"=="" goto wanted
if "%~1"=="--help" goto help
if "%~1"=="--launch" set "LAUNCH=1" & shift & goto options
if "%~1"=="--notebook" set "NOTEBOOK=1" & set "REGISTER=1" & shift & goto options
if "%~1"=="--dev" set "DEV=1" & shift & goto options
echo setup: unknown option %~1 (known: --launch, --notebook, --dev). 1>&2
exit /b 1
:help
echo   setup.bat            data tools, reading with a model (training on this machine needs WSL)
echo   setup.bat --launch   also what a real SageMaker job needs (sagemaker, boto3, docker)
echo   setup.bat --notebook also the kernel "PaddleOCR Recognition" for the Jupyter or VS Code of this user
echo   setup.bat --dev      also tests, linters and the lock tool
exit /b 0
:wanted
set "LOCKS=requirements\train.lock"
if defined LAUNCH set "LOCKS=%LOCKS% requirements\launch.lock"
if defined NOTEBOOK set "LOCKS=%LOCKS% requirements\notebook.lock"
if defined DEV set "LOCKS=requirements\dev.lock"
rem In the user's own folder of kernels: the Jupyter that opens the notebook lives in another environment than venv.
set "KERNEL=-m ipykernel install --user --name paddleocr-recognition"
set "SOURCE=container\trainer\pipeline\native\pixels.c"
set "KEY=import hashlib, os, pathlib, sys; print(ascii(os.getcwd()), hashlib.sha256(b''.join(pathlib.Path(p).read_bytes() for p in sys.argv[1:])).hexdigest())"
set "MARK=import os, pathlib; pathlib.Path('venv/.root').write_text(ascii(os.getcwd()))"
set "STAYED=import os, pathlib, sys; root = pathlib.Path('venv/.root'); sys.exit(root.exists() and root.read_text() != ascii(os.getcwd()))"

rem --- nothing to do?
if not exist venv\Scripts\python.exe goto find
venv\Scripts\python -c "%FITS%" >nul 2>&1 || goto find
venv\Scripts\python -c "%KEY%" pyproject.toml %SOURCE% %LOCKS% >venv\.key || goto find
if not exist venv\.ready goto find
fc venv\.key venv\.ready >nul 2>&1 || goto find
if not defined REGISTER goto up_to_date
venv\Scripts\python %KERNEL% --display-name "PaddleOCR Recognition" >nul || exit /b 1
:up_to_date
echo setup: venv is up to date.
exit /b 0

rem --- a Python 3.10-3.12 that really runs (the Store alias may exist and fail)
:find
if not exist venv goto choose
if exist venv\pyvenv.cfg goto choose
echo setup: venv is there but is no virtual environment: move it away and run this again. 1>&2
exit /b 1
:choose
if not defined PYTHON goto search
set "PYTHON=%PYTHON:"=%"
rem call: it may be a .bat, as pyenv's are, and one that is not called never comes back.
call "%PYTHON%" -c "%FITS%" >nul 2>&1 && goto named
echo setup: PYTHON=%PYTHON% is not a working Python 3.10, 3.11 or 3.12. 1>&2
exit /b 1
:named
set PYTHON="%PYTHON%"
goto found
:search
for %%P in ("py -3.12" "py -3.11" "py -3.10" "python" "python3") do (
  call %%~P -c "%FITS%" >nul 2>&1 && set "PYTHON=%%~P" && goto found
)
echo setup: found no Python 3.10, 3.11 or 3.12: install one from python.org, or set PYTHON to its python.exe. 1>&2
exit /b 1
:found

rem --- venv\: keep one that works, has not moved and whose last install ended; else make it anew
if exist venv\.unfinished goto make_venv
venv\Scripts\python -m pip --version >nul 2>&1 || goto make_venv
venv\Scripts\python -c "%FITS%" >nul 2>&1 || goto make_venv
venv\Scripts\python -c "%STAYED%" && goto install
:make_venv
echo setup: making venv ... 1>&2
call %PYTHON% -m venv --clear venv || exit /b 1
:install
venv\Scripts\python -c "%MARK%" || exit /b 1
if exist venv\.ready del venv\.ready
rem pip cut short leaves half a package behind, and then fails on it for ever
type nul >venv\.unfinished
if defined LAUNCH type nul >venv\.launch
if defined NOTEBOOK type nul >venv\.notebook
if defined DEV type nul >venv\.dev

rem --- the locked packages, every file checked against its hash; then ourselves, editable
set "REQUIREMENTS=-r %LOCKS: = -r %"
echo setup: installing %LOCKS% (first time: some minutes) ... 1>&2
set "PIP=venv\Scripts\python -m pip --disable-pip-version-check --no-input -q"
%PIP% install --no-deps --require-hashes %REQUIREMENTS% || (
  echo setup: the packages could not be installed: see pip's message above, then run this again. 1>&2
  exit /b 1
)
%PIP% install --no-deps --no-build-isolation -e . || exit /b 1
rem Without it all works, slower: its own message says so.
venv\Scripts\python -m container.trainer.pipeline.native.build
if not defined NOTEBOOK goto finish
venv\Scripts\python %KERNEL% --display-name "PaddleOCR Recognition" >nul || exit /b 1
:finish
del venv\.unfinished
venv\Scripts\python -c "%KEY%" pyproject.toml %SOURCE% %LOCKS% >venv\.ready || exit /b 1
echo setup: done. Next:
echo   venv\Scripts\python -m data_preparation --help   from pictures to a dataset: data_preparation\QUICKSTART.md
if not "%LAUNCH%%DEV%"=="" goto launching
echo   setup.bat --launch                               before the first SageMaker job
exit /b 0
:launching
echo   venv\Scripts\python -m launcher doctor           what is missing for a job on SageMaker
