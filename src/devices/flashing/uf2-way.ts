import { uf2Image } from '../../targets/export/index.js';
import { copyToDrive, findUf2Drives, onlyDrive } from './uf2-drive.js';
import type { FindWay } from './way.js';

/** Writes through the drive of a bootloader. */
export const uf2Way: FindWay<'uf2'> = async ({ image, place, choice }, { familyId }) => {
  const drive = onlyDrive(await findUf2Drives(choice.drive === undefined ? undefined : [choice.drive]));
  return {
    method: 'uf2',
    through: `${drive.folder} (${drive.boardId ?? 'unknown board'})`,
    commands: [],
    write: async ({ signal, onProgress }) => {
      await copyToDrive(uf2Image(image, place.address, familyId), drive, {
        ...(onProgress === undefined ? {} : { onProgress }),
        ...(signal === undefined ? {} : { signal }),
      });
      return { verifiedBy: null };
    },
  };
};
